"""What the package's extras bring, and the sentence for what lacks them."""

import importlib.util
import os

from sodkeras.errors import SodkerasError

#: By extra, the modules that it brings; the first extra that has a module is the one that is advised.
MODULES = {
    "train": ("keras", "matplotlib", "onnx", "tensorflow"),
    "qat": ("tensorflow_model_optimization", "tf_keras"),
    "torch": ("torch",),
    "heif": ("pillow_heif",),
}


def require(extra: str, what: str) -> None:
    """Raises SodkerasError, with what to install, if what an extra brings is not there.

    Args:
        extra: "train", "convert" or "qat".
        what: what needs it.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    wanted = ["keras", "matplotlib", "tensorflow" if extra != "train" else backend]
    if extra == "qat":
        wanted += MODULES["qat"]
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise SodkerasError(f'{what} needs {", ".join(missing)}: pip install "sodkeras[{extra}]"')


def advice(error: ModuleNotFoundError) -> str | None:
    """What to install for a module that is missing; None if no extra brings it."""
    module = (error.name or "").split(".")[0]
    for extra, modules in MODULES.items():
        if module in modules:
            return f'This needs {module}: pip install "sodkeras[{extra}]"'
    return None
