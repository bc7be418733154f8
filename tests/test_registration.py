"""`import sodkeras` is all that Keras needs to load a file, and costs nothing where Keras is not used."""

import importlib
import pkgutil
import subprocess
import sys

import keras
import pytest

import sodkeras
from helpers import tiny_model
from sodkeras.registration import CLASSES


def python(code, *arguments):
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.process
@pytest.mark.parametrize("imports", ["import sodkeras, keras", "import keras, sodkeras", "from sodkeras import layers"])
def test_keras_loads_a_file_in_whichever_order_the_two_are_imported(imports, tmp_path):
    tiny_model().save(tmp_path / "tiny.keras")
    code = f"import sys\n{imports}\nimport keras\nprint(type(keras.models.load_model(sys.argv[1])).__name__)"
    assert python(code, str(tmp_path / "tiny.keras")) == ["U2Net"]


def test_importing_sodkeras_imports_neither_keras_nor_tensorflow():
    code = "import sys, sodkeras\nprint(*({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))"
    assert python(code) == []


def test_every_class_that_is_registered_is_listed():
    for module in pkgutil.walk_packages(sodkeras.__path__, "sodkeras."):
        if not module.name.startswith(("sodkeras.tflite.quantization_aware", "sodkeras.examples", "sodkeras.__main__")):
            importlib.import_module(module.name)
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("sodkeras>")}
    assert registered == {f"sodkeras>{name}" for names in CLASSES.values() for name in names}
    for module, names in CLASSES.items():
        assert all(isinstance(getattr(importlib.import_module(module), name), type) for name in names)
