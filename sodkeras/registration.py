"""Keras knows the classes of sodkeras as soon as both are imported, in whichever order.

`keras.models.load_model` looks a class up by the name under which it was registered, which takes an import of its
module. `import sodkeras` must not import Keras, which a board need not have. So Keras gets stand-ins that import their
class when a file names it; where Keras is imported after sodkeras, it gets them right then.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

#: The classes that a `.keras` file may name, by their modules: written out, for asking the modules would import Keras.
CLASSES = {
    "sodkeras.backbones": ("MobileNetV2", "Res2Net", "ResNet"),
    "sodkeras.callbacks.dynamic_weight_decay": ("_Tap",),
    "sodkeras.layers": (
        "ASPP",
        "BilinearUpSampling2D",
        "CentralizedInteraction",
        "ChannelSlice",
        "ConvNorm",
        "ConvUnit",
        "CropLike",
        "CrossStageFusion",
        "DepthwiseNonLocal",
        "GridMean",
        "ILBlock",
        "OctaveConv",
        "PadToMultiple",
        "ParallelDilatedConv",
        "PyramidPooling",
        "RelativeGlobalCalibration",
        "ResidualConvs",
        "ResidualU",
        "ResizeLike",
        "ResizedCrossStageFusion",
        "ResizedOctaveConv",
        "ScaledConv2D",
        "ScaledDepthwiseConv2D",
    ),
    "sodkeras.losses": ("IntersectionOverUnionFromLogits", "StructuralSimilarityFromLogits", "WeightedSum"),
    "sodkeras.models": ("CII", "CSFResNet", "CSNet", "DNL", "InferenceModel", "U2Net"),
    "sodkeras.training.map_error": ("MapError",),
    "sodkeras.training.optimizers": ("WarmUp",),
}


def register_with_keras() -> None:
    """Registers the classes with Keras, now if it is imported, or else right after it will be."""
    if keras := sys.modules.get("keras"):
        _register(keras)
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register(keras):
    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            known.setdefault(f"sodkeras>{name}", _StandIn(module, name))


class _StandIn:
    """What Keras asks of a class when it reads a file; the class takes its place in Keras's register at its import."""

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def from_config(self, config: dict, **arguments: Any) -> Any:
        return getattr(importlib.import_module(self._module), self._name).from_config(config, **arguments)


class _AfterKeras(importlib.abc.MetaPathFinder):
    """Has Keras imported by the other finders, and the classes registered behind it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """The loader of Keras, with a step behind it."""

    def __init__(self, loader: Any):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _register(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
