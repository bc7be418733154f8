"""Networks of this project in `.keras` files."""

import zipfile

from sodkeras.errors import SodkerasError, first_line


def load_keras(path):
    """The Keras model of this project in a `.keras` file.

    Raises:
        SodkerasError: if the file is missing or holds no such model.
    """
    if not path.is_file():
        raise SodkerasError(f"There is no such file. Received: {path}")
    if not zipfile.is_zipfile(path):
        raise SodkerasError(f"The file is not a .keras model. Received: {path}")
    import keras

    import sodkeras.models  # noqa: F401 (registers the classes that the file names)

    try:
        model = keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, KeyError, OSError) as error:
        raise SodkerasError(f"Keras cannot load the file ({first_line(error)}). Received: {path}") from None
    if not hasattr(model, "inference_model"):
        raise SodkerasError(f"The file holds a Keras model, but none of sodkeras. Received: {path}")
    return model
