"""What a training run is made of: one plain record, from a recipe, its short version and what the user changes."""

import ast
import dataclasses
import difflib
import importlib
import pathlib
import runpy
import typing
from collections.abc import Iterable

from sodkeras.errors import SodkerasError

_RECIPES = pathlib.Path(__file__).parent / "recipes"

# The values that a setting may take by name.
_CHOICES = {
    "masks": ("soft", "nearest"),
    "loss": ("bce", "iou", "bce_iou", "bce_ssim_iou"),
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "steps", "cosine", "poly"),
    "decay_form": ("coupled", "decoupled"),
    "decay_exempt": ("none", "gammas", "released_gammas"),
    "policy": ("float32", "mixed_bfloat16"),
    "dynamic_decay_form": ("coupled", "decoupled"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides what a run's weights become, but for the pictures.

    Lengths of time are in epochs, an epoch being the training pictures seen once (`steps_per_epoch` changes that).

    Attributes:
        model: a name in `sodkeras.models.MODELS`; or a .keras file or a preset, whose network is trained further.
        arguments: of the network's constructor; for a trained one, what is to differ: {"activation": "relu"} makes ReLU
            of its PReLUs, {"input_shape": [192, 192, 3], "positions": [3, 4]} lets a DNL that was trained quickly, on
            small pictures and without modules, go on as the whole network.
        size: (height, width) of the network's input; None for the network's own.
        preprocessing: what differs from the network's own `Preprocessing`, by name.
        backbone_weights: ImageNet weights: a name or a file, as `sodkeras.checkpoints.imagenet.load` takes them.
        initial_weights: a .keras file of the same network, to go on from.
        freeze: weights that are not trained: patterns of their paths, with commas between, as in
            "stage0*/alpha,fusion*/alpha"; "" to train all.
        augmentation: arguments of `sodkeras.data.Augmentation`.
        masks: "soft" (resized bilinear) or "nearest".
        cache: where prepared pictures are kept, see `sodkeras.data.pipeline.TrainingData`.
        validation_share: the share of the pictures that is kept out of training, where no other validation set is
            given.
        batch: pictures a step, over all devices.
        epochs, steps_per_epoch: how long; None for as many steps as the pictures fill.
        seed: of the weights' start and of the data's order and augmentation.
        loss: "bce", "iou", "bce_iou" or "bce_ssim_iou", from logits.
        loss_arguments: of the loss: "over" and "smoothing" of the overlap, "factors" of a sum's terms.
        output_weights: of the network's outputs, by name; those without a name here count 1.
        optimizer: "adam" or "sgd".
        optimizer_arguments: of the Keras optimizer.
        learning_rate: the highest.
        schedule: "constant"; "steps", times "factor" (0.1) at each epoch of "at"; "cosine", down to zero; "poly", down
            to zero as (1 - t)^"power" (0.9).
        schedule_arguments: those in quotes above.
        warm_up_epochs: epochs in which the learning rate rises linearly from zero, before the schedule begins.
        backbone_rate: the backbone's learning rate as a factor.
        weight_decay: its rate.
        decay_form: "coupled", rate·w added to the gradient as in PyTorch's Adam and SGD, or "decoupled", as in AdamW.
        decay_exempt: what coupled decay leaves alone: "none"; "gammas" that dynamic weight decay acts on; or
            "released_gammas", only those that CSNet's released code leaves out.
        clip_norm: the gradient's global norm at most; 0 for any.
        ema_momentum: of the moving average of the weights, which then is what is validated and kept; 0 for none.
        accumulate: batches whose gradients make a step of the optimizer.
        policy: "float32" or "mixed_bfloat16"; weights are kept in float32 in either case.
        dynamic_decay, dynamic_decay_form: λ and form of `sodkeras.callbacks.DynamicWeightDecay`; 0 for none.
        prune: arguments of `sodkeras.pruning.prune`; {} to prune nothing.
        fine_tune: settings that differ when the pruned network is trained on.
        batch_statistics: False trains the network as it is used: batch norms take the statistics that they have, and
            what drops out does not.
        re_estimate: batches from which batch norm takes its statistics anew after training; 0 to leave them.
        save_every: steps between two checkpoints; there is one at the end of each epoch, too.
        deterministic: whether a step's result must not depend on how threads take turns; None for yes on CPUs and no on
            GPUs, where it is slow and some layers have no such form.
        samples: validation pictures whose maps are kept in the run's folder.

    Raises:
        SodkerasError: for a value that cannot be.
    """

    model: str = "CSNet"
    arguments: dict = dataclasses.field(default_factory=dict)
    size: tuple | None = None
    preprocessing: dict = dataclasses.field(default_factory=dict)
    backbone_weights: str | None = None
    initial_weights: str | None = None
    freeze: str = ""
    augmentation: dict = dataclasses.field(default_factory=dict)
    masks: str = "soft"
    cache: str | None = "memory"
    validation_share: float = 0.1
    batch: int = 16
    epochs: int = 100
    steps_per_epoch: int | None = None
    seed: int = 0
    loss: str = "bce"
    loss_arguments: dict = dataclasses.field(default_factory=dict)
    output_weights: dict = dataclasses.field(default_factory=dict)
    optimizer: str = "adam"
    optimizer_arguments: dict = dataclasses.field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: str = "constant"
    schedule_arguments: dict = dataclasses.field(default_factory=dict)
    warm_up_epochs: float = 0.0
    backbone_rate: float = 1.0
    weight_decay: float = 0.0
    decay_form: str = "coupled"
    decay_exempt: str = "none"
    clip_norm: float = 0.0
    ema_momentum: float = 0.0
    accumulate: int = 1
    policy: str = "float32"
    dynamic_decay: float = 0.0
    dynamic_decay_form: str = "coupled"
    prune: dict = dataclasses.field(default_factory=dict)
    fine_tune: dict = dataclasses.field(default_factory=dict)
    batch_statistics: bool = True
    re_estimate: int = 0
    save_every: int = 200
    deterministic: bool | None = None
    samples: int = 4

    def __post_init__(self):
        for name, kind in typing.get_type_hints(type(self)).items():
            object.__setattr__(self, name, _as_kind(name, kind, getattr(self, name)))
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise SodkerasError(
                    f"The setting {name} is one of {', '.join(known)}. Received: {getattr(self, name)!r}"
                )
        for name in ("batch", "epochs", "accumulate", "save_every"):
            self._must(name, getattr(self, name) >= 1, "at least 1")
        self._must("steps_per_epoch", self.steps_per_epoch is None or self.steps_per_epoch >= 1, "at least 1, or none")
        self._must(
            "size", self.size is None or (len(self.size) == 2 and min(self.size) >= 1), "(height, width) or none"
        )
        self._must("learning_rate", self.learning_rate > 0, "above 0")
        for name in ("validation_share", "ema_momentum"):
            self._must(name, 0 <= getattr(self, name) < 1, "from 0 to under 1")
        for name in ("warm_up_epochs", "backbone_rate", "weight_decay", "clip_norm", "dynamic_decay", "re_estimate"):
            self._must(name, getattr(self, name) >= 0, "not negative")
        self._must("samples", self.samples >= 0, "not negative")
        if (self.dynamic_decay or self.prune) and self.model != "CSNet":
            from sodkeras.models import MODELS  # and Keras with it, which the settings of a run alone do not need

            another = self.model in MODELS
            self._must("dynamic_decay", not (self.dynamic_decay and another), "0 for another network than CSNet")
            self._must("prune", not (self.prune and another), "{} for another network than CSNet")
        if self.fine_tune:
            Settings().changed(self.fine_tune)  # its keys are checked now, not after the first training

    def _must(self, name, good, what):
        if not good:
            raise SodkerasError(f"The setting {name} must be {what}. Received: {getattr(self, name)!r}")

    def changed(self, changes: dict) -> "Settings":
        """These settings with some changed.

        Args:
            changes: values by name; a name with dots reaches into a setting that is a dict: "arguments.width".

        Raises:
            SodkerasError: for a name that there is not, with the nearest that there are.
        """
        values = dataclasses.asdict(self)
        for name, value in changes.items():
            first, *rest = str(name).split(".")
            if first not in values or (rest and not isinstance(values[first], dict)):
                near = difflib.get_close_matches(first, values, cutoff=0.4)
                hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(values)}."
                raise SodkerasError(f"There is no such setting: {hint} Received: {name}")
            place = values
            for key in [first, *rest][:-1]:
                place = place.setdefault(key, {})
                if not isinstance(place, dict):
                    raise SodkerasError(f"There is nothing inside the setting {key}: it is {place!r}. Received: {name}")
            place[[first, *rest][-1]] = value
        return Settings(**values)

    def to_dict(self) -> dict:
        """A dict that JSON carries unchanged."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def recipe_names() -> list[str]:
    """The recipes that come with the package, sorted."""
    return sorted(path.stem for path in _RECIPES.glob("*.py") if path.stem != "__init__")


def read_recipe(name: str, short: bool = False) -> Settings:
    """The settings of a recipe.

    Args:
        name: one of `recipe_names()`, or the path of a Python file with the dicts SETTINGS and, for `short`, SHORT.
        short: whether to take the version for a laptop: what SHORT changes.

    Raises:
        SodkerasError: for an unknown name, a file that is no recipe, or a setting that there is not.
    """
    if name in recipe_names():
        found = vars(importlib.import_module(f"sodkeras.training.recipes.{name}"))
    elif name.endswith(".py") and pathlib.Path(name).is_file():
        try:
            found = runpy.run_path(name)
        except Exception as error:  # whatever a user's own file may raise
            raise SodkerasError(
                f"The recipe cannot be run ({type(error).__name__}: {error}). Received: {name}"
            ) from None
    else:
        near = difflib.get_close_matches(name, recipe_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise SodkerasError(
            f"Name one of the recipes {', '.join(recipe_names())}, or a Python file of your own{hint} Received: {name}"
        )
    if not isinstance(found.get("SETTINGS"), dict) or not isinstance(found.get("SHORT", {}), dict):
        raise SodkerasError(f"A recipe is a Python file with a dict SETTINGS. Received: {name}")
    settings = Settings().changed(found["SETTINGS"])
    if short and "SHORT" not in found:
        raise SodkerasError(f"This recipe has no short version: a dict SHORT. Received: {name}")
    return settings.changed(found["SHORT"]) if short else settings


def parse_changes(texts: Iterable[str]) -> dict:
    """The changes that "KEY=VALUE" texts ask for, `{key: value}`; a value is a Python literal, or else a text.

    Raises:
        SodkerasError: for a text without a key or an equals sign.
    """
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise SodkerasError(f"A setting is changed as KEY=VALUE. Received: {text}")
        changes[name.strip()] = _literal(value.strip())
    return changes


def _literal(text):
    words = {"none": None, "null": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _as_kind(name, kind, value):
    """A setting's value as its kind; whole numbers may stand for others, and lists and single sides for tuples."""
    kinds = typing.get_args(kind) or (kind,)
    if value is None and type(None) in kinds:
        return None
    if value is None and "none" in _CHOICES.get(name, ()):
        return "none"  # the name of a choice, which "--set=NAME=none" writes as well
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise SodkerasError(f"The setting {name} must be under 1e308. Received: {value}") from None
    if tuple in kinds and isinstance(value, (list, tuple, int)) and not isinstance(value, bool):
        sides = (value, value) if isinstance(value, int) else tuple(value)
        if all(isinstance(side, int) for side in sides):
            return sides
    # True is an int to Python, but no number of epochs.
    elif isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return value
    words = {int: "a whole number", float: "a number", bool: "true or false", dict: "a dict", str: "a text"}
    words |= {tuple: "one or two whole numbers", type(None): "none"}
    raise SodkerasError(f"The setting {name} is {' or '.join(words[kind] for kind in kinds)}. Received: {value!r}")


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
