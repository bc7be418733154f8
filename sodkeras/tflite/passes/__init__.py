"""A network in a form that LiteRT runs well: `flatten`, then passes in the order of the lists below."""

import collections
import dataclasses
import fnmatch
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from sodkeras.graph import flatten
from sodkeras.tflite.eight_bits.equalize import equalize
from sodkeras.tflite.eight_bits.weight_rounding import correct_biases, rounding_effects, runs_in_float
from sodkeras.tflite.passes.average_pool import replace_average_pools
from sodkeras.tflite.passes.concatenate import activate_before_concatenating, regroup_concatenations
from sodkeras.tflite.passes.fold import fold
from sodkeras.tflite.passes.prelu import Form, choose_forms, exact_forms, replace_prelu
from sodkeras.tflite.passes.run import Pass, exact, probe_picture, run

#: A convolution whose weights' rounding is less than this under its signal stays in float, unless told otherwise.
#: U²-Net† has one at -6 dB, the cause of nearly all its error, and one at 16; all others are at 30 or more.
FLOAT_BELOW_DECIBELS = 20
#: What rounding and other slopes do hardly depends on the picture: a few tell.
_PICTURES = 4

#: A function of a purpose, for a progress bar, or None, and of a number of pictures, by default of all, to preprocessed
#: pictures `[1, H, W, 3]`.
Batches = Callable[..., Iterable[np.ndarray]]


@dataclasses.dataclass
class EightBits:
    """What the passes to 8 bits are told, and what they find.

    Args:
        batches: the pictures to calibrate with, see `Batches`.
        prelu: "auto" or "exact", see `sodkeras.tflite.passes.prelu`; None where only weights become integers and the
            graph keeps its operators.
        keep_float: patterns of layers that stay in float, or None for those whose weights do not fit into 8 bits.
        correct: whether biases are corrected for what rounding the weights does; not where further layers may go into
            float later, whose biases must be their own.

    Attributes:
        forms: how PReLUs are computed, by their names.
        float_layers: the layers that stay in float, and by how many decibels their weights' rounding would be under
            their signal, None where that is not why.
    """

    batches: Batches
    prelu: str | None = "auto"
    keep_float: Sequence[str] | None = None
    correct: bool = True
    forms: dict[str, Form] = dataclasses.field(default_factory=dict)
    float_layers: dict[str, float | None] = dataclasses.field(default_factory=dict)

    @property
    def prelu_counts(self) -> dict[str, int] | None:
        """How many PReLUs are computed in which form, by its name; None where they stay PReLUs."""
        counts = collections.Counter(form.name for form in self.forms.values())
        return dict(sorted(counts.items())) if self.prelu else None


def _replace_prelus(model, plan):
    plan.forms = exact_forms(model)
    if plan.forms and plan.prelu == "auto":
        plan.forms = choose_forms(model, plan.batches("measuring slopes", _PICTURES))
    return replace_prelu(model, plan.forms)


def _equalize(model, plan):
    return equalize(model, plan.batches("measuring channels"))


def _round_weights(model, plan):
    """Chooses the layers that stay in float, and corrects the biases of the others."""
    effects = rounding_effects(model, plan.batches("measuring layers", _PICTURES))
    for layer in model.layers:
        decibels = effects[layer.name].decibels if layer.name in effects else None
        if _stays_in_float(layer, decibels, plan):
            plan.float_layers[layer.name] = decibels
    in_integers = effects.keys() - plan.float_layers.keys()
    return correct_biases(model, {name: effects[name] for name in in_integers}) if plan.correct else model


def _stays_in_float(layer, decibels, plan):
    if plan.keep_float is not None:
        return any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in plan.keep_float)
    if decibels is not None and decibels < FLOAT_BELOW_DECIBELS:
        return True
    return plan.prelu is not None and runs_in_float(layer)


#: To what float files are made of.
FLOAT_PASSES = (exact(fold), exact(regroup_concatenations))
#: On to what 8-bit files are made of: no operator is left that XNNPACK takes in float only.
EIGHT_BIT_PASSES = (
    exact(replace_average_pools),
    Pass(_replace_prelus, exact=lambda plan: all(form.decibels == np.inf for form in plan.forms.values())),
    exact(activate_before_concatenating),
    Pass(_equalize),
    Pass(_round_weights, exact=False),
)
#: Of these, what files of 8-bit weights and float activations need.
WEIGHT_PASSES = EIGHT_BIT_PASSES[-2:]


def lower(model: keras.Model) -> keras.Model:
    """The form for float: flat, at its preprocessing's size, with constants and batch norms folded.

    Args:
        model: an `InferenceModel`; it is left alone.

    Returns:
        A functional Keras model whose convolutions have weights of their own.

    Raises:
        SodkerasError: if the two differ on a picture, which would be a fault here.
    """
    flat = flatten(model, (*model.preprocessing.size, 3))
    return run(flat, FLOAT_PASSES, model.preprocessing(probe_picture()))


def lower_for_integers(model: keras.Model, plan: EightBits) -> keras.Model:
    """The form for 8 bits, with channels equalized and biases corrected.

    Args:
        model: what `lower` gave, or the same with other ends; it is left alone.
        plan: what to do; it is told what was found.

    Returns:
        A functional Keras model with weights of its own.

    Raises:
        SodkerasError: if an exact pass changes what the network computes, which would be a fault here.
    """
    passes = EIGHT_BIT_PASSES if plan.prelu else WEIGHT_PASSES
    return run(model, passes, next(iter(plan.batches(None, 1))), plan)
