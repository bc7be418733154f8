"""The child process of `sodkeras.tflite.convert`, see `sodkeras.tflite.child_process`."""

import functools
import pathlib

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.tflite.calibration import pictures_to_try
from sodkeras.tflite.child_process import answer
from sodkeras.tflite.file.metadata import describe, describe_calibration, describe_tensors, with_metadata
from sodkeras.tflite.inside import unusual
from sodkeras.tflite.numerics import interfaces, needs_calibration

#: Pictures that choose the ranges of activations.
_PICTURES_FOR_RANGES = 16
#: Pictures on which every layer is rounded in turn, and those on which a file has to keep to a budget.
_PICTURES_FOR_COSTS, _PICTURES_FOR_BUDGET = 2, 20
#: A float32 file whose maps differ by more in the mean is not given out.
_WRONG = 1e-4


class _Conversion:
    """One network on its way into files."""

    def __init__(self, job, progress):
        from sodkeras.tflite.passes.ends import with_ends
        from sodkeras.tflite.passes.lower import lower

        self._job, self._progress = job, progress
        self._say = functools.partial(print, file=progress, flush=True)
        if job["warning"]:
            self._say(f"warning: {job['warning']}")
        self._say(f"converting {job['source']}: loading")
        self._model = _load(job["source"])
        self._name = self._model.name.removesuffix("_inference")
        height, width = self._model.preprocessing.size
        self._say(f"converting {self._name}: tracing at {height}x{width}")
        self._flat, self._preprocessing = with_ends(lower(self._model), self._model.preprocessing, job["inside"])

    def run(self):
        results = []
        for numerics in self._job["numerics"]:
            self._say(f"converting {self._name}: {numerics}")
            make = {"float32": self._float, "float16": self._half, "dynamic_wi8_afp32": self._dynamic}
            content, details = make.get(numerics, self._integers)(numerics)
            results.append(self._finish(content, numerics, details))
        return results

    @functools.cached_property
    def _plain(self):
        return export(self._flat, f"{self._job['scratch']}/plain")

    def _float(self, _):
        import tensorflow as tf

        return tf.lite.TFLiteConverter.from_saved_model(self._plain).convert(), {}

    def _half(self, _):
        import tensorflow as tf

        def convert(sums):
            converter = tf.lite.TFLiteConverter.from_saved_model(self._plain)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
            converter.target_spec._experimental_supported_accumulation_type = sums
            return converter.convert()

        tried = self._try_half()
        # XNNPACK computes in half precision, where the processor can, if a file says that sums may be of 16 bits.
        return convert(None if tried["problems"] else tf.float16), {"half_precision": tried}

    def _try_half(self):
        """How maps in half precision compare with Keras's, as `_parity`; with problems it is not to be used."""
        from sodkeras.tflite.check.agreement import TOLERANCES
        from sodkeras.tflite.check.half_precision import HalfPrecisionRuntime

        try:
            found = self._compare(HalfPrecisionRuntime(self._model), self._pictures_to_try)
        except SodkerasError as error:
            self._say(f"  the file does not allow half precision: {error}")
            return {"problems": [str(error)]}
        problems = found.violations(TOLERANCES["float16"])
        what = "the file does not allow half precision, which is too far off" if problems else "in half precision"
        self._say(f"  {what}: {_in_words(found)}")
        return {"problems": problems} | _rounded(found)

    def _dynamic(self, numerics):
        from sodkeras.tflite.file.integer_source import convert_dynamic

        source, saved_model = self._prepare(prelu=None)
        return convert_dynamic(saved_model, source.float_layers), {"float_layers": sorted(source.float_layers)}

    @functools.cached_property
    def _integer_source(self):
        return self._prepare(self._job["prelu"])

    def _prepare(self, prelu):
        from sodkeras.tflite.file.integer_source import IntegerSource

        self._say(f"converting {self._name}: preparing for 8 bits")
        correct = not prelu or self._job["mae_budget"] is None
        source = IntegerSource(self._flat, self._batches, prelu, self._job["keep_float"], correct)
        self._say(f"{len(source.float_layers)} layers stay in float")
        for layer, decibels in source.float_layers.items():
            why = "" if decibels is None else f": its weights' rounding would be {decibels:.0f} dB under its signal"
            self._say(f"  {layer}{why}")
        if source.prelu:
            self._say(f"  PReLU as {', '.join(f'{kind}: {count}' for kind, count in source.prelu.items())}")
        return source, export(source.model, f"{self._job['scratch']}/{'integer' if prelu else 'dynamic'}")

    @functools.cached_property
    def _ranges(self):
        from sodkeras.tflite.eight_bits.activation_ranges import choose_ranges

        source, _ = self._integer_source
        return choose_ranges(source.model, list(self._batches("choosing ranges", _PICTURES_FOR_RANGES)))

    @functools.cached_property
    def _calibrated(self):
        from sodkeras.tflite.file.integer_source import Calibrated

        _, saved_model = self._integer_source
        calibration = functools.partial(self._batches, "calibrating")
        return Calibrated(saved_model, calibration, self._ranges, "normalisation" in self._job["inside"])

    def _integers(self, numerics):
        from sodkeras.tflite.file.integer_source import convert_16

        source, saved_model = self._integer_source
        calibration = describe_calibration(self._job["pictures"], self._job["pictures_found"])
        details = {"prelu": source.prelu, "calibration": calibration}
        interface = self._job["interface"] or interfaces(numerics)[0]
        if numerics == "static_wi8_ai16":
            return convert_16(saved_model, functools.partial(self._batches, "calibrating"), interface), details
        in_float = sorted(source.float_layers)
        if self._job["sensitivity"] or self._job["mae_budget"] is not None:
            ranking = details["layer_costs"] = self._layer_costs(source.model)
        if self._job["mae_budget"] is not None:
            more, details["budget"] = self._meet_budget([name for name in ranking if name not in in_float], in_float)
            in_float = sorted([*in_float, *more])
        details["float_layers"] = in_float
        return self._quantized(in_float, interface), details

    def _quantized(self, in_float, interface):
        from sodkeras.tflite.file.byte_weights import layers_with_byte_weights

        source, _ = self._integer_source
        return self._calibrated.quantize(in_float, layers_with_byte_weights(source.model, in_float), interface)

    def _layer_costs(self, model):
        from tqdm import tqdm

        from sodkeras.tflite.eight_bits.float_budget import layer_costs

        batch = np.concatenate(list(self._batches(None, _PICTURES_FOR_COSTS)))
        return layer_costs(
            model,
            batch,
            self._ranges,
            functools.partial(tqdm, desc="measuring costs", unit="layer", file=self._progress),
        )

    def _meet_budget(self, ranking, in_float):
        """The further layers that must stay in float, and a dict that says what was asked for and what it came to."""
        from sodkeras.runtimes import LiteRTRuntime
        from sodkeras.tflite.eight_bits.float_budget import fewest_in_float

        budget, pictures = self._job["mae_budget"], self._some_pictures(_PICTURES_FOR_BUDGET)
        trial = pathlib.Path(self._job["scratch"]) / "trial.tflite"

        def cost(more):
            content = self._quantized([*in_float, *more], "int8")
            trial.write_bytes(content)
            metadata = self._describe("static_wi8_ai8") | describe_tensors(content)
            found = self._compare(LiteRTRuntime(trial, metadata=metadata), pictures)
            self._say(f"  {len(more)} more layers in float: MAE {np.mean(found.mae):.4g}, the budget {budget:g}")
            return float(np.mean(found.mae))

        more, reached = fewest_in_float(ranking, cost, budget)
        return more, {"asked": budget, "mae": reached, "pictures": len(pictures), "more_in_float": more}

    def _batches(self, purpose, count=None):
        """Preprocessed calibration pictures, all or a few, with a progress bar; without any, a made-up one."""
        from tqdm import tqdm

        from sodkeras.pictures import read_picture
        from sodkeras.tflite.passes.lower import probe_picture

        if not self._job["pictures"]:
            yield self._preprocessing(probe_picture())
        for path in tqdm(
            self._job["pictures"][:count], desc=purpose, unit="picture", file=self._progress, disable=purpose is None
        ):
            yield self._preprocessing(read_picture(path))

    def _finish(self, content, numerics, details):
        """The file with its metadata, after a comparison with its source."""
        job = self._job
        costs = details.pop("layer_costs", None)
        metadata = self._describe(numerics) | details | describe_tensors(content)
        height, width = self._preprocessing.size
        variant = "-".join([numerics, *unusual(job["inside"]), *_unusual_interface(numerics, job["interface"])])
        path = pathlib.Path(job["scratch"]) / f"{self._name}-{height}x{width}-{variant}.tflite"
        path.write_bytes(content)
        metadata["parity"] = self._parity(path, metadata)
        path.write_bytes(with_metadata(content, metadata))
        return {"file": path.name, "scratch_file": str(path), "metadata": metadata, "layer_costs": costs}

    def _describe(self, numerics):
        job = self._job
        return describe(self._model, job["source"], numerics, self._preprocessing, job["inside"])

    def _some_pictures(self, count):
        """Up to `count` of the calibration pictures, evenly spread, as `(name, RGB)`."""
        from sodkeras.pictures import read_picture

        paths = self._job["pictures"]
        paths = paths[:: -(-len(paths) // count) or 1]
        return [(pathlib.Path(path).name, read_picture(path)) for path in paths]

    def _compare(self, runtime, pictures):
        from sodkeras.tflite.check.agreement import compare

        return compare(self._keras, runtime, pictures)

    @functools.cached_property
    def _pictures_to_try(self):
        return pictures_to_try(self._job["tried_on"], self._job["pictures"])

    def _parity(self, path, metadata):
        """How the file's maps compare with the Keras model's, on pictures that it was not calibrated with.

        Raises:
            SodkerasError: if the file gives no numbers or one map whatever the picture; if a float32 file differs by
                more than rounding.
        """
        from sodkeras.runtimes import LiteRTRuntime
        from sodkeras.tflite.check.agreement import TOLERANCES, Tolerance

        found = self._compare(LiteRTRuntime(path, metadata=metadata), self._pictures_to_try)
        self._say(f"  against Keras: {_in_words(found)}")
        tolerance = TOLERANCES[metadata["numerics"]]
        wrong = found.violations(Tolerance(worst_mae=_WRONG))
        if wrong and metadata["numerics"] == "float32":
            raise SodkerasError(f"The float file does not compute what Keras does. Received: {'; '.join(wrong)}")
        tried = {"pictures": len(self._pictures_to_try), "mirrored": not self._job["tried_on"]}
        return tried | {"problems": found.violations(tolerance)} | _rounded(found)

    @functools.cached_property
    def _keras(self):
        from sodkeras.runtimes import KerasRuntime

        return _Remembering(KerasRuntime(self._model))


class _Remembering:
    """A runtime that computes each picture once: all files, and all trials for a budget, are compared on the same."""

    def __init__(self, runtime):
        self._runtime, self._maps = runtime, {}
        self.preprocessing = runtime.preprocessing

    def __call__(self, batch):
        key = batch.tobytes()
        if key not in self._maps:
            self._maps[key] = self._runtime(batch)
        return self._maps[key]


def _rounded(found):
    return {name: float(f"{value:.4g}") for name, value in found.summary().items()}


def _in_words(found):
    return ", ".join(f"{name} {value:g}" for name, value in _rounded(found).items())


def _unusual_interface(numerics, interface):
    return [interface] if interface not in (None, interfaces(numerics)[0]) and needs_calibration(numerics) else []


def _load(source):
    from sodkeras import weights

    return weights.load_model(source).inference_model()


def export(model, path):
    """Writes a flat model as a SavedModel with a static batch of one, and returns its path.

    A dynamic batch would leave space-to-batch operators around dilated convolutions. Weights are constants: hundreds of
    variables take longer to write, and to read for every file, than all that the converter does.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="picture")

    @tf.function(input_signature=[signature], autograph=False)
    def serve(picture):
        return model(picture, training=False)

    frozen = convert_variables_to_constants_v2(serve.get_concrete_function())
    tf.saved_model.save(tf.Module(), path, signatures=frozen)
    return path


if __name__ == "__main__":
    answer(lambda job, progress: _Conversion(job, progress).run(), "conversion")
