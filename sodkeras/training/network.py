"""The network that a run's settings speak of, before it is trained."""

import dataclasses
import fnmatch
import functools
import inspect
import itertools
import pathlib
from collections.abc import Iterable

import keras

from sodkeras import weights
from sodkeras.errors import SodkerasError
from sodkeras.keras_file import load_keras
from sodkeras.keras_private import all_layers
from sodkeras.layers import DepthwiseNonLocal
from sodkeras.models import MODELS, SaliencyModel
from sodkeras.training.settings import Settings


def build_model(settings: Settings) -> SaliencyModel:
    """The network of some settings, with new weights.

    Raises:
        SodkerasError: for arguments that make no network, or a file to begin with that cannot be had.
    """
    trained = _trained(settings.model)
    kind = type(trained) if trained else MODELS[settings.model]
    arguments = settings.arguments
    if trained:
        arguments = trained.get_config() | {"preprocessing": trained.preprocessing} | arguments
    parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]  # Keras hides it behind __new__
    known = [name for name in parameters if name not in ("self", "kwargs")]
    unknown = sorted(set(settings.arguments) - set(known))
    if unknown:  # Keras would take them without a word
        raise SodkerasError(f"{kind.__name__} takes the arguments {', '.join(known)}. Received: {unknown}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.policy)
    try:
        model = kind(**arguments)
    except (TypeError, ValueError) as error:
        raise SodkerasError(f"{kind.__name__} cannot be built ({error}) Received: {settings.arguments}") from None
    finally:
        keras.config.set_dtype_policy(before)
    changes = dict(settings.preprocessing)
    if settings.size:
        changes["size"] = settings.size
    try:
        model.preprocessing = dataclasses.replace(model.preprocessing, **changes)
    except TypeError as error:
        raise SodkerasError(f"There is no such preprocessing ({error}). Received: {settings.preprocessing}") from None
    for pattern in filter(None, settings.freeze.split(",")):
        matched = [weight for weight in model.weights if fnmatch.fnmatchcase(weight.path, pattern)]
        if not matched:
            paths = ", ".join(weight.path for weight in model.weights[:3])
            raise SodkerasError(
                f"No weight is called so: there are {paths}, and others. Received: {pattern!r} in freeze"
            )
        for weight in matched:
            weight.trainable = False
    return model


# Pictures, about, over which a backbone's statistics are taken where its file has none.
_STATISTICS = 500


def load_weights(settings: Settings, model: keras.Model, batches: Iterable = ()) -> None:
    """Fills the model, or its backbone, with the weights that the settings name.

    Args:
        settings: a `Settings`.
        model: what `build_model` made of them.
        batches: what it will be trained on, an iterable of tuples of pictures and more: over their first pictures the
            backbone's batch norms get statistics, if its file has them folded away.

    Where `arguments` ask for another activation than a trained network's PReLU, its slopes stay behind. DNL's modules,
    whose weights depend on the pictures' size, are new where they ask for another size or other places.

    Raises:
        SodkerasError: if they cannot be had, or are of another network.
    """
    if trained := _trained(settings.model):
        _copy(trained, model, settings.model)
    if settings.backbone_weights:
        from sodkeras.checkpoints import imagenet
        from sodkeras.checkpoints.batch_norm import restore_statistics

        if imagenet.load(model, settings.backbone_weights).folded:
            some = itertools.islice(batches, -(-_STATISTICS // settings.batch))
            restore_statistics(model, (keras.ops.convert_to_numpy(batch[0]) for batch in some), f"{model.backbone}_")
    if settings.initial_weights:
        _copy(load_keras(pathlib.Path(settings.initial_weights)), model, settings.initial_weights)


def _copy(source, model, name):
    apart = []
    if getattr(source, "activation", None) != getattr(model, "activation", None):  # "relu" asked for, most often
        apart += _layers(source, keras.layers.PReLU)
    theirs, ours = ({layer.name: layer for layer in _layers(each, DepthwiseNonLocal)} for each in (source, model))
    for key in theirs.keys() | ours.keys():
        modules = [each[key] for each in (theirs, ours) if key in each]
        if len(modules) == 1 or _shapes(modules[0]) != _shapes(modules[1]):
            apart += modules
    apart = {id(weight) for layer in apart for weight in layer.weights}
    copied, filled = ([weight for weight in each.weights if id(weight) not in apart] for each in (source, model))
    if [weight.shape for weight in copied] != [weight.shape for weight in filled]:
        raise SodkerasError(f"The weights to begin with are of another network. Received: {name}")
    for old, new in zip(copied, filled, strict=True):
        new.assign(old)


def _layers(model, kind):
    return [layer for layer in all_layers(model) if isinstance(layer, kind)]


def _shapes(layer):
    return [weight.shape for weight in layer.weights]


@functools.lru_cache(maxsize=1)
def _trained(name):
    """The model of a .keras file or a preset; None for the name of a kind of network."""
    if name in MODELS:
        return None
    if not name.endswith(".keras") and weights.network_name(name) is None:
        known = ", ".join([*MODELS, *weights.preset_names()])
        raise SodkerasError(f"The setting model is one of {known}, or a .keras file. Received: {name!r}")
    model = weights.load_model(name)
    if not isinstance(model, SaliencyModel):
        raise SodkerasError(f"Only the network that was trained can be trained further. Received: {name}")
    return model
