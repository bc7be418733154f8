"""The work of `sodkeras.tflite.convert`, done in a child process."""

import functools
import pathlib
from typing import Any, TextIO

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.calibration import Calibration
from sodkeras.tflite.check.agreement import TOLERANCES
from sodkeras.tflite.check.half_precision import HalfPrecisionRuntime
from sodkeras.tflite.eight_bits.activation_ranges import choose_ranges
from sodkeras.tflite.eight_bits.float_budget import fewest_in_float, layer_costs
from sodkeras.tflite.file.byte_weights import layers_with_byte_weights
from sodkeras.tflite.file.metadata import describe, describe_tensors
from sodkeras.tflite.file.quantize import Calibrated, convert_16, convert_dynamic, convert_float, convert_half
from sodkeras.tflite.inside import unusual
from sodkeras.tflite.numerics import interfaces, needs_calibration
from sodkeras.tflite.passes import EightBits, lower, lower_for_integers
from sodkeras.tflite.passes.ends import with_ends
from sodkeras.tflite.settings import ConversionSettings
from sodkeras.tflite.source_network import SourceNetwork, export, in_words, rounded

#: Pictures that choose the ranges of activations.
_PICTURES_FOR_RANGES = 16
#: Pictures on which every layer is rounded in turn, and those on which a file has to keep to a budget.
_PICTURES_FOR_COSTS, _PICTURES_FOR_BUDGET = 2, 20


def work(job: dict, progress: TextIO) -> list[dict]:
    """Makes the files that a job asks for in its scratch folder; see `sodkeras.tflite.convert`."""
    network = SourceNetwork(job["source"], Calibration(**job["calibration"]), progress)
    return _Conversion(network, ConversionSettings(**job["settings"]), job["scratch"]).run()


class _Conversion:
    """One network's way into files: lowered, given its ends, and for each file exported, quantized and tried."""

    def __init__(self, network, settings, scratch):
        self._network, self._settings, self._scratch = network, settings, pathlib.Path(scratch)
        self._say = network.say
        height, width = network.model.preprocessing.size
        self._say(f"converting {network.name}: tracing at {height}x{width}")
        lowered = lower(network.model)
        self._flat, network.preprocessing = with_ends(lowered, network.model.preprocessing, settings.inside)

    def run(self):
        results = []
        for numerics in self._settings.numerics:
            self._say(f"converting {self._network.name}: {numerics}")
            file, details = self._make(numerics)
            results.append(self._finish(file, numerics, details))
        return results

    def _make(self, numerics):
        """A `LiteFile`, and what its metadata says of how it was made."""
        match numerics:
            case "float32":
                return convert_float(self._plain), {}
            case "float16":
                tried = self._try_half()
                return convert_half(self._plain, not tried["problems"]), {"half_precision": tried}
            case "dynamic_wi8_afp32":
                plan, _, exported = self._prepare(None)
                return convert_dynamic(exported, plan.float_layers), {"float_layers": sorted(plan.float_layers)}
            case "static_wi8_ai16":
                _, _, exported = self._eight_bits
                pictures = functools.partial(self._network.batches, "calibrating")
                return convert_16(exported, pictures, self._interface(numerics)), self._of_integers()
            case "static_wi8_ai8":
                in_float, details = self._choose_in_float()
                return self._quantized(in_float, self._interface(numerics)), self._of_integers() | details

    @functools.cached_property
    def _plain(self):
        return export(self._flat, f"{self._scratch}/plain")

    def _try_half(self):
        """How maps in half precision compare with Keras's; with problems it is not to be used."""
        try:
            found = self._network.compare(HalfPrecisionRuntime(self._network.model))
        except SodkerasError as error:
            self._say(f"  the file does not allow half precision: {error}")
            return {"problems": [str(error)]}
        problems = found.violations(TOLERANCES["float16"])
        what = "the file does not allow half precision, which is too far off" if problems else "in half precision"
        self._say(f"  {what}: {in_words(found)}")
        return {"problems": problems} | rounded(found)

    @functools.cached_property
    def _eight_bits(self):
        return self._prepare(self._settings.prelu)

    def _prepare(self, prelu):
        """(what was found on the way to 8 bits, the network in that form, its SavedModel)."""
        self._say(f"converting {self._network.name}: preparing for 8 bits")
        correct = not prelu or self._settings.mae_budget is None
        plan = EightBits(self._network.batches, prelu, self._settings.keep_float, correct)
        model = lower_for_integers(self._flat, plan)
        self._say(f"{len(plan.float_layers)} layers stay in float")
        for layer, decibels in plan.float_layers.items():
            why = "" if decibels is None else f": its weights' rounding would be {decibels:.0f} dB under its signal"
            self._say(f"  {layer}{why}")
        if plan.prelu_counts:
            self._say(f"  PReLU as {', '.join(f'{kind}: {count}' for kind, count in plan.prelu_counts.items())}")
        return plan, model, export(model, f"{self._scratch}/{'integer' if prelu else 'dynamic'}")

    @functools.cached_property
    def _ranges(self):
        _, model, _ = self._eight_bits
        return choose_ranges(model, list(self._network.batches("choosing ranges", _PICTURES_FOR_RANGES)))

    @functools.cached_property
    def _calibrated(self):
        _, _, exported = self._eight_bits
        pictures = functools.partial(self._network.batches, "calibrating")
        return Calibrated(exported, pictures, self._ranges, "normalisation" in self._settings.inside)

    def _quantized(self, in_float, interface):
        _, model, _ = self._eight_bits
        return self._calibrated.quantize(in_float, layers_with_byte_weights(model, in_float), interface)

    def _of_integers(self):
        plan, _, _ = self._eight_bits
        return {"prelu": plan.prelu_counts, "calibration": self._network.describe_calibration()}

    def _interface(self, numerics):
        return self._settings.interface or interfaces(numerics)[0]

    def _choose_in_float(self):
        """The layers that stay in float in full 8 bits, and what is to be said of the choice."""
        plan, model, _ = self._eight_bits
        in_float, details = sorted(plan.float_layers), {}
        budget = self._settings.mae_budget
        if self._settings.sensitivity or budget is not None:
            batch = np.concatenate(list(self._network.batches(None, _PICTURES_FOR_COSTS)))
            bar = functools.partial(self._network.bar, purpose="measuring costs", unit="layer")
            details["layer_costs"] = layer_costs(model, batch, self._ranges, bar)
        if budget is not None:
            ranking = [name for name in details["layer_costs"] if name not in in_float]
            more, details["budget"] = self._meet_budget(ranking, in_float, budget)
            in_float = sorted([*in_float, *more])
        return in_float, details | {"float_layers": in_float}

    def _meet_budget(self, ranking, in_float, budget):
        """The further layers that must stay in float, and a dict that says what was asked for and what it came to."""
        pictures = self._network.spread_pictures(_PICTURES_FOR_BUDGET)
        trial = self._scratch / "trial.tflite"

        def cost(more):
            content = self._quantized([*in_float, *more], "int8").to_bytes()
            trial.write_bytes(content)
            metadata = self._describe("static_wi8_ai8") | describe_tensors(content)
            found = self._network.compare(LiteRTRuntime(trial, metadata=metadata), pictures)
            self._say(f"  {len(more)} more layers in float: MAE {np.mean(found.mae):.4g}, the budget {budget:g}")
            return float(np.mean(found.mae))

        more, reached = fewest_in_float(ranking, cost, budget)
        return more, {"asked": budget, "mae": reached, "pictures": len(pictures), "more_in_float": more}

    def _describe(self, numerics):
        network = self._network
        return describe(network.model, network.source, numerics, network.preprocessing, self._settings.inside)

    def _finish(self, file: Any, numerics: str, details: dict) -> dict:
        """The file with its metadata, after a comparison with its source."""
        costs = details.pop("layer_costs", None)
        content = file.to_bytes()
        metadata = self._describe(numerics) | details | describe_tensors(content)
        height, width = self._network.preprocessing.size
        variant = "-".join([numerics, *unusual(self._settings.inside), *self._unusual_interface(numerics)])
        path = self._scratch / f"{self._network.name}-{height}x{width}-{variant}.tflite"
        path.write_bytes(content)
        metadata["parity"] = self._network.parity(path, metadata)
        path.write_bytes(file.to_bytes(metadata))
        return {"file": path.name, "scratch_file": str(path), "metadata": metadata, "layer_costs": costs}

    def _unusual_interface(self, numerics):
        interface = self._settings.interface
        return [interface] if interface not in (None, interfaces(numerics)[0]) and needs_calibration(numerics) else []
