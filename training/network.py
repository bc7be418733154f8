"""The network that a run's settings speak of, before it is trained."""

import dataclasses
import inspect
import pathlib

import keras

from sodkeras.errors import SodkerasError
from sodkeras.models import MODELS
from sodkeras.runtimes import load_keras


def build_model(settings):
    """The network of some settings, with new weights.

    Raises:
        SodkerasError: for arguments that make no network.
    """
    if settings.network not in MODELS:
        raise SodkerasError(f"The setting network is one of {', '.join(MODELS)}. Received: {settings.network!r}")
    parameters = inspect.signature(MODELS[settings.network].__init__).parameters
    known = [name for name in parameters if name not in ("self", "kwargs")]
    unknown = sorted(set(settings.arguments) - set(known))
    if unknown:  # Keras would take them without a word
        raise SodkerasError(f"{settings.network} takes the arguments {', '.join(known)}. Received: {unknown}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.policy)
    try:
        model = MODELS[settings.network](**settings.arguments)
    except (TypeError, ValueError) as error:
        raise SodkerasError(f"{settings.network} cannot be built ({error}) Received: {settings.arguments}") from None
    finally:
        keras.config.set_dtype_policy(before)
    changes = dict(settings.preprocessing)
    if settings.size:
        changes["size"] = settings.size
    try:
        model.preprocessing = dataclasses.replace(model.preprocessing, **changes)
    except TypeError as error:
        raise SodkerasError(f"There is no such preprocessing ({error}). Received: {settings.preprocessing}") from None
    return model


def load_weights(settings, model):
    """Fills the model, or its backbone, with the weights that the settings name.

    Raises:
        SodkerasError: if they cannot be had, or are of another network.
    """
    if settings.backbone_weights:
        from sodkeras.checkpoints import imagenet

        imagenet.load(model, settings.backbone_weights)
    if settings.initial_weights:
        try:
            model.set_weights(load_keras(pathlib.Path(settings.initial_weights)).get_weights())
        except ValueError as error:
            if isinstance(error, SodkerasError):
                raise
            raise SodkerasError(
                f"The weights to begin with are of another network. Received: {settings.initial_weights}"
            ) from None
