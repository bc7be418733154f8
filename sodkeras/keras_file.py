"""Networks of this project in `.keras` files."""

import contextlib
import io
import math
import threading
import zipfile

from sodkeras.errors import SodkerasError
from sodkeras.files import check_size, declared_size, reason

_WEIGHTS = "model.weights.h5"
# Bytes of config.json: those of the networks here take kilobytes, and JSON grows thirtyfold in memory.
_LONGEST_CONFIG = 10_000_000
_BUILDING = threading.RLock()


def load_keras(path):
    """The Keras model of this project in a `.keras` file.

    Before anything is built, the sizes that the file declares are checked (`sodkeras.files.check_size`): those of the
    zip's members and those of the arrays in its HDF5 file, which must hold them itself. While the network is built, it
    gets no more weights than the file has.

    Args:
        path: a `pathlib.Path`.

    Raises:
        SodkerasError: if the file is missing, damaged, larger inside than a network is, or holds no model of sodkeras.
    """
    check_size(path, declared_size(path))
    size, values, variables = _arrays(path)
    check_size(path, size)
    import keras

    import sodkeras.models  # noqa: F401 (registers the classes that the file names)

    try:
        # A layer may be made and dropped again; more than that Keras could not fill from the file.
        with at_most(2 * values, 2 * variables):
            model = keras.models.load_model(path, compile=False)
    except Exception as error:  # a foreign configuration ends Keras as it happens to: KeyError, RecursionError
        raise SodkerasError(f"Keras cannot load the file ({reason(_innermost(error))}). Received: {path}") from None
    if not hasattr(model, "inference_model"):
        raise SodkerasError(f"The file holds a Keras model, but none of sodkeras. Received: {path}")
    return model


@contextlib.contextmanager
def at_most(values, variables):
    """Within, the layers that this thread builds get weights of so many values at most: what a file declares is checked
    before it is allocated.

    Args:
        values: numbers in all weights; a million more are always allowed.
        variables: weights; a hundred more are always allowed.

    Raises:
        SodkerasError: from the layer that asks for more.
    """
    import keras

    values, variables, thread = values + 1_000_000, variables + 100, threading.get_ident()

    def counted(layer, shape=None, *arguments, **keywords):
        nonlocal values, variables
        if threading.get_ident() == thread:
            values -= math.prod(shape) if isinstance(shape, (tuple, list)) else shape or 1
            variables -= 1
            if values < 0 or variables < 0:
                raise SodkerasError(
                    f"The network would have more weights than its file holds. Received: weights of shape {shape}"
                )
        return add_weight(layer, shape, *arguments, **keywords)

    # One after another, for what is put back must be what was there.
    with _BUILDING:
        add_weight = keras.layers.Layer.add_weight
        keras.layers.Layer.add_weight = counted
        try:
            yield
        finally:
            keras.layers.Layer.add_weight = add_weight


def _arrays(path):
    """Bytes, values and number of the arrays that the HDF5 file inside declares; none of them is read."""
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LONGEST_CONFIG:
                raise ValueError(f"its config.json is longer than {_LONGEST_CONFIG // 10**6} MB")
            content = archive.read(_WEIGHTS)  # which compares the check sum
        arrays = []

        def look(name, found):
            if isinstance(found, h5py.Group):
                if not all(isinstance(found.get(key, getlink=True), h5py.HardLink) for key in found):
                    raise ValueError(f"{name or 'its root'} has links")
            elif isinstance(found, h5py.Dataset):
                if found.external or found.is_virtual:
                    raise ValueError(f"the values of {name} are in another file")
                arrays.append((found.nbytes, found.size or 0))

        with h5py.File(io.BytesIO(content), "r") as file:
            look("", file)
            file.visititems(look)
    except Exception as error:  # damaged bytes end the readers as they happen to: BadZipFile, OverflowError
        raise SodkerasError(f"The .keras file is damaged ({reason(error)}); get it anew. Received: {path}") from None
    return sum(size for size, _ in arrays), sum(values for _, values in arrays), len(arrays)


def _innermost(error):
    """What a network of ours said, where Keras wrapped that; else the error itself."""
    inner = error
    while inner is not None and not isinstance(inner, SodkerasError):
        inner = inner.__cause__ or inner.__context__
    return inner or error
