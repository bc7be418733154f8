"""The work of `sodkeras.tflite.quantize_train`, done in a child process."""

import dataclasses
import json
import os
import pathlib
import sys
from typing import TextIO

import keras
import tensorflow as tf
import tf_keras

from sodkeras.data import Augmentation, Pair, find_pairs, split_pairs
from sodkeras.data.pipeline import TrainingData, file_errors, validation_data
from sodkeras.data.pseudo_labels import pseudo_label
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file
from sodkeras.graph import Graph
from sodkeras.keras_file import load_keras
from sodkeras.models.base import InferenceModel
from sodkeras.predictor import Predictor
from sodkeras.tflite.calibration import Calibration
from sodkeras.tflite.eight_bits.activation_ranges import choose_ranges
from sodkeras.tflite.file.byte_weights import layers_with_byte_weights
from sodkeras.tflite.file.metadata import describe, describe_tensors
from sodkeras.tflite.file.quantize import Calibrated
from sodkeras.tflite.inside import DEFAULT
from sodkeras.tflite.passes import EightBits, lower, lower_for_integers
from sodkeras.tflite.quantization_aware.layers import layers_by_name, quantize_aware, set_ranges, training_ranges
from sodkeras.tflite.quantization_aware.tf_keras_bridge import check_bridge, copy_weights
from sodkeras.tflite.source_network import SourceNetwork, export

#: The share of the pairs that measures the error, and how many at most.
_HELD_OUT, _MOST_HELD_OUT = 0.1, 16
_PICTURES_FOR_RANGES = 16


def work(job: dict, progress: TextIO) -> dict:
    """Trains and converts as a job asks for; see `sodkeras.tflite.quantize_train`."""
    return _Training(job, SourceNetwork(job["source"], Calibration(**job["calibration"]), progress), progress).run()


class _Training:
    """One network's way through quantization-aware training: prepared for 8 bits, trained, and made into a file."""

    def __init__(self, job, network, progress):
        self._job, self._network, self._progress = job, network, progress
        self._folder = pathlib.Path(job["folder"])
        self._state = self._folder / "training"
        self._name, self._say, self._batches = network.name, network.say, network.batches

    def run(self):
        pairs = self._pairs()
        lowered, facts = self._prepared()
        ranges, errors = self._train(lowered, facts, pairs)
        return self._convert(lowered, facts, ranges, errors)

    def _pairs(self):
        """The pairs to learn from; where the network's own maps are to be learned, these are made first."""
        job = self._job
        if job["targets"] == "masks":
            return [
                Pair(**{**pair, "picture": pathlib.Path(pair["picture"]), "mask": pathlib.Path(pair["mask"])})
                for pair in job["pairs"]
            ]
        self._say(f"{self._name}: its own maps of {len(job['pictures'])} pictures")
        pictures = [pathlib.Path(os.path.abspath(path)) for path in job["pictures"]]
        list_file, failures = pseudo_label(
            Predictor(self._network.model), pictures, self._state / "maps", progress=False
        )
        for path, error in failures:
            self._say(f"  {path} is left out: {error}")
        return [dataclasses.replace(pair, weight=1.0) for pair in find_pairs([list_file])]

    def _prepared(self):
        """The network in the form for 8 bits with what is known of it, made once and kept for going on."""
        network, facts_file = self._state / "prepared.keras", self._state / "prepared.json"
        if facts_file.exists():  # which is written last
            return _plain(load_keras(network)), json.loads(read_bytes(facts_file))
        self._say(f"{self._name}: preparing for 8 bits")
        plan = EightBits(self._batches, self._job["prelu"], self._job["keep_float"])
        model = lower_for_integers(lower(self._network.model), plan)
        facts = {"float_layers": sorted(plan.float_layers), "prelu": plan.prelu_counts}
        self._save(model, network)
        with whole_file(facts_file) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")
        return model, facts

    def _train(self, lowered, facts, pairs):
        """Trains, and puts the weights into `lowered`.

        Returns:
            (the ranges that activations were rounded in; the maps' mean error, with rounding, before and after).
        """
        job = self._job
        tf_keras.utils.set_random_seed(job["seed"])
        network = without_sigmoid(lowered)
        self._say(f"{self._name}: rebuilding {len(network.layers)} layers in tf_keras")
        annotated, student = quantize_aware(network, set(facts["float_layers"]))
        check_bridge(network, annotated, next(self._batches(None, 1)))
        optimizer = tf_keras.optimizers.Adam(
            tf_keras.optimizers.schedules.CosineDecay(job["learning_rate"], job["steps"])
        )
        optimizer.build(student.trainable_variables)
        student.compile(optimizer, tf_keras.losses.BinaryCrossentropy(from_logits=True), metrics=[map_error])
        student.train_step = tf.autograph.experimental.do_not_convert(student.train_step)
        student.test_step = tf.autograph.experimental.do_not_convert(student.test_step)

        checkpoints = _Checkpoints(self._state / "checkpoints", student)
        done = checkpoints.restore()
        preprocessing = self._network.preprocessing
        training, held_out = split_pairs(pairs, _HELD_OUT) if len(pairs) * _HELD_OUT >= 2 else (pairs, pairs)
        held_out = validation_data(held_out[:_MOST_HELD_OUT], preprocessing, job["batch"])
        data = TrainingData(training, preprocessing, job["batch"], Augmentation(left_right=0.5), job["seed"])
        rounds = -(-job["steps"] // job["save_every"])
        self._say(f"{self._name}: {len(training)} pictures to learn from; {job['steps']} steps, {done} of them done")
        ranges = self._set_ranges(student, lowered, done)
        sys.stdout, stdout = self._progress, sys.stdout  # Keras's bar
        try:
            with file_errors():
                before = self._error_before(student, held_out)
                for number in range(done // job["save_every"], rounds):
                    ranges = self._set_ranges(student, lowered, done)
                    count = min(job["save_every"], job["steps"] - done)
                    batches = data.dataset(done).map(tf.autograph.experimental.do_not_convert(_spread_weights))
                    history = student.fit(
                        batches,
                        validation_data=held_out,
                        initial_epoch=number,
                        epochs=number + 1,
                        steps_per_epoch=count,
                        shuffle=False,
                        verbose=1 if self._progress.isatty() else 2,
                    )
                    done += count
                    checkpoints.save(done)
                    self._log(done, history.history)
                after = _held_out_error(student, held_out)
        finally:
            sys.stdout = stdout
        self._say(f"{self._name}: with rounding, after training, it is {after:.4f}")
        if after > before:
            self._say("  more than before: take what sodkeras convert gives, or try a smaller learning_rate")
        copy_weights(layers_by_name(student), network)
        return ranges, {"before": float(f"{before:.4g}"), "after": float(f"{after:.4g}")}

    def _error_before(self, student, held_out):
        """The error that training starts from, measured once and kept for going on."""
        path = self._state / "before.json"
        if not path.exists():
            with whole_file(path) as temporary:
                temporary.write_text(json.dumps(_held_out_error(student, held_out)), encoding="utf-8")
        before = json.loads(read_bytes(path))
        self._say(f"{self._name}: with rounding, before training, the maps' mean error is {before:.4f}")
        return before

    def _set_ranges(self, student, lowered, done):
        """Tells the student which ranges to round in after so many steps, and returns them.

        They are chosen anew for the student's weights at each checkpoint of the first half; in the second it learns to
        live with those that its file will have.
        """
        every = self._job["save_every"]
        path = self._state / f"ranges-{min(done, self._job['steps'] // 2 // every * every)}.json"
        if not path.exists():
            network = without_sigmoid(lowered)
            copy_weights(layers_by_name(student), network)
            chosen = choose_ranges(lowered, list(self._batches("choosing ranges", _PICTURES_FOR_RANGES)))
            chosen |= training_ranges(network, chosen, self._batches("measuring extremes"))
            with whole_file(path) as temporary:
                temporary.write_text(json.dumps(chosen), encoding="utf-8")
        ranges = json.loads(read_bytes(path))
        set_ranges(student, ranges)
        return ranges

    def _log(self, step, history):
        path = self._state / "log.csv"
        row = {"step": step} | {name: f"{values[-1]:.6g}" for name, values in history.items()}
        heading = "" if path.exists() else ",".join(row) + "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(heading + ",".join(map(str, row.values())) + "\n")

    def _convert(self, lowered, facts, ranges, errors):
        job, source = self._job, self._network
        network = self._folder / f"{self._name}-quantization_aware.keras"
        self._save(lowered, network)
        self._say(f"{self._name}: converting")
        exported = export(lowered, f"{job['scratch']}/trained")
        calibrated = Calibrated(exported, lambda: self._batches("calibrating"), ranges, False)
        in_float = facts["float_layers"]
        file = calibrated.quantize(in_float, layers_with_byte_weights(lowered, in_float), "int8")
        content = file.to_bytes()
        metadata = describe(source.model, source.source, "static_wi8_ai8", source.preprocessing, DEFAULT)
        metadata |= {
            "float_layers": in_float,
            "prelu": facts["prelu"],
            "calibration": source.describe_calibration(),
            "quantization_aware_training": {
                key: job[key] for key in ("targets", "steps", "batch", "learning_rate", "save_every", "seed")
            }
            | {"pictures": len(job["pictures"]), "map_error": errors},
        }
        metadata |= describe_tensors(content)
        height, width = source.preprocessing.size
        path = self._folder / f"{self._name}-{height}x{width}-static_wi8_ai8.tflite"
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
            metadata["parity"] = source.parity(temporary, metadata)
            temporary.write_bytes(file.to_bytes(metadata))
        with whole_file(path.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return {"tflite": str(path), "keras": str(network)}

    def _save(self, model, path):
        whole = InferenceModel(model.input, model.output, self._network.model.name, self._network.preprocessing)
        with whole_file(path) as temporary:
            whole.save(temporary)


class _Checkpoints:
    """Where training goes on: the last two states of a compiled tf_keras network whose optimizer is built."""

    def __init__(self, folder, network):
        self._step = tf.Variable(0, dtype=tf.int64)
        state = tf.train.Checkpoint(step=self._step, network=network, optimizer=network.optimizer)
        self._manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=2)

    def save(self, step):
        self._step.assign(step)
        self._manager.save()

    def restore(self):
        """Restores the last state and returns its step; 0 without one."""
        self._manager.restore_or_initialize()
        return int(self._step.numpy())


def without_sigmoid(model: keras.Model) -> keras.Model:
    """The part of a network that gives logits; its layers are shared.

    Raises:
        SodkerasError: if it does not end in a sigmoid.
    """
    last = Graph(model).maker(model.outputs[0])
    if last is None or getattr(last.layer, "activation", None) is not keras.activations.sigmoid:
        raise SodkerasError(f"The network does not end in a sigmoid. Received: {model.name}")
    return keras.Model(model.input, last.inputs[0], name=f"{model.name}_logits")


def map_error(masks: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The mean absolute difference of the maps from the masks."""
    return tf.abs(masks - tf.sigmoid(logits))


def _held_out_error(student, pairs):
    return student.evaluate(pairs, verbose=0, return_dict=True)["map_error"]


def _spread_weights(pictures, masks, weights=None):
    """A weight a picture in a form that tf_keras multiplies with a loss a pixel."""
    return (pictures, masks) if weights is None else (pictures, masks, weights[:, None, None])


def _plain(model):
    """A functional model of Keras's own class, as lowering gives."""
    return keras.Model(model.input, model.output, name=model.name)
