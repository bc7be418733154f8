"""What a `.tflite` file says of itself, read and checked: the file may be damaged, or somebody else's.

Each key is in docs/file_format.md.
"""

import json

from sodkeras.errors import SodkerasError
from sodkeras.preprocessing import Preprocessing

#: The name under which a `.tflite` file's metadata holds this project's JSON.
METADATA_NAME = "sodkeras"

# Of those that are read here; `Preprocessing` checks what is inside its own.
_KINDS = {
    "name": str,
    "numerics": str,
    "preprocessing": dict,
    "normalisation_inside": (dict, type(None)),
    "output_values": (str, type(None)),
}
# Of a strange value, in a message.
_SHOWN = 40
_NEEDED = ("name", "numerics", "preprocessing")


def read_metadata(content, name):
    """This project's JSON in the bytes of a `.tflite` file, as a dict.

    Args:
        content: the file's bytes.
        name: what to call the file in an error.

    Raises:
        SodkerasError: if there is none, it is damaged, or one of the values that are needed to run the file is missing
            or of another kind than `sodkeras convert` writes.
    """
    try:
        text = _find(content)
    except Exception:  # the flatbuffers' reader ends as it happens to, where offsets lead nowhere
        raise _damaged(name) from None
    if text is None:
        raise SodkerasError(
            "The .tflite file does not say how to prepare its pictures; make it with sodkeras convert. "
            f"Received: {name}"
        )
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(name) from None
    _check(metadata, name)
    return metadata


def preprocessing_of(metadata):
    """(what a file expects of a picture, and the same with what its graph does itself) by its metadata."""
    outside = Preprocessing.from_dict(metadata["preprocessing"])
    inside = metadata.get("normalisation_inside")
    return outside, Preprocessing.from_dict(metadata["preprocessing"] | inside) if inside else outside


def _find(content):
    from ai_edge_litert.schema_py_generated import Model

    model = Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == METADATA_NAME.encode():
            return model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    return None


def _check(metadata, name):
    if not isinstance(metadata, dict):
        raise _damaged(name)
    for key, kind in _KINDS.items():
        if key not in _NEEDED and key not in metadata:
            continue
        if not isinstance(metadata.get(key), kind):
            raise _damaged(f"{name} with {key}={str(metadata.get(key))[:_SHOWN]}")
    try:
        preprocessing_of(metadata)
    except SodkerasError as error:
        raise SodkerasError(f"The metadata of {name} cannot be used: {error}") from None


def _damaged(name):
    return SodkerasError(
        f"The metadata of the .tflite file is damaged; make it anew with sodkeras convert. Received: {name}"
    )
