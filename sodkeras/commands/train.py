"""sodkeras train: trains a network by a recipe, on folders of pictures and masks.

usage: sodkeras train --recipe=NAME --data=[NAME=]DIR --out=DIR [--short] [--flag=value ...]

A recipe is one of the list below, or a Python file of your own like those in sodkeras/training/recipes. --short is its
version for a laptop. --data is a data set as it was downloaded (images/ and masks/, DUTS-TR, ECSSD, MSRA10K …), a
folder of such sets, or a list file; give it several times for several sets. Without --validation a share of the
pictures is kept out of training. Masks of classes are refused unless --mask_value says which class is the object.

Ctrl-C stops a run after its step, and whatever stops it, the same command goes on from the last checkpoint and ends
with the same weights. --out has the settings, the log, TensorBoard's curves, last.keras and best.keras (the lowest
error on the validation set), scores, and report.html.

Every setting can be changed: --set=KEY=VALUE, as in --set=learning_rate=1e-3 or --set=arguments.width=2; --settings
prints them all, resolved.

examples:
  sodkeras train --recipe=csnet --short --data=horses --data=people --out=runs/first
  sodkeras train --recipe=u2netp --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/u2netp --strategy=mirrored
  sodkeras train --recipe=csnet --data=DUTS-TR --out=runs/x15 --set=arguments.width=1.5 --batch=16
  sodkeras train --recipe=fine_tune --network=runs/first/best.keras --data=mine --out=runs/mine
"""

import collections
import sys

from absl import flags

from sodkeras.commands.mask_value import define_mask_value
from sodkeras.errors import UsageError

# The settings that have a flag of their own.
_NAMED = {"network": str, "epochs": int, "batch": int, "learning_rate": float, "seed": int, "policy": str, "size": int}


def define_flags(flag_values):
    from sodkeras.training.settings import recipe_names

    flags.DEFINE_string(
        "recipe", None, f"{', '.join(recipe_names())}, or a Python file of your own.", flag_values=flag_values
    )
    flags.DEFINE_bool("short", False, "Take the recipe's version for a laptop.", flag_values=flag_values)
    for name, text in (
        ("data", "[NAME=]DIR: pictures and masks to train on."),
        ("validation", "[NAME=]DIR: pictures and masks to choose the best weights by."),
        ("test", "[NAME=]DIR: pictures and masks to score at the end."),
        ("set", "KEY=VALUE: changes a setting."),
    ):
        flags.DEFINE_multi_string(name, [], text, flag_values=flag_values)
    flags.DEFINE_string("out", None, "The run's folder.", flag_values=flag_values)
    flags.DEFINE_enum(
        "strategy", "one", ["one", "mirrored", "multiworker"], "Which devices train.", flag_values=flag_values
    )
    flags.DEFINE_integer(
        "devices", None, "GPUs of this machine that take part; default all.", lower_bound=1, flag_values=flag_values
    )
    define_mask_value(flag_values)
    flags.DEFINE_bool("check", True, "Look at every file before training.", flag_values=flag_values)
    flags.DEFINE_bool("settings", False, "Print the settings and stop.", flag_values=flag_values)
    for name, kind in _NAMED.items():
        define = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}[kind]
        define(name, None, f"The same as --set={name}=VALUE.", flag_values=flag_values)


def run(flag_values, arguments):
    from sodkeras.training.settings import parse_changes, read_recipe

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    if not flag_values.recipe:
        raise UsageError("name a --recipe")
    changes = {name: flag_values[name].value for name in _NAMED if flag_values[name].value is not None}
    changes |= parse_changes(flag_values["set"].value)
    settings = read_recipe(flag_values.recipe, flag_values.short).changed(changes)
    if flag_values.settings:
        for name, value in settings.to_dict().items():
            print(f"{name} = {value!r}")
        return 0
    if not flag_values["data"].value or not flag_values.out:
        raise UsageError("name --data and --out")

    training, validation, tests = _find(flag_values, settings)
    if flag_values.check:
        from sodkeras.data.check import check_pairs, stop_if_fatal

        everything = [*training, *validation, *(pair for pairs in tests.values() for pair in pairs)]
        problems = check_pairs(everything, progress=sys.stderr.isatty())
        stop_if_fatal(problems)
        if problems:
            kinds = collections.Counter(problem.kind for problem in problems)
            found = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
            print(f"found in the data: {found}; sodkeras data --check lists them and says what to do")

    from sodkeras.commands.startup import import_keras

    # Other strategies choose the devices before anything looks for them.
    import_keras(find_devices=flag_values.strategy == "one")
    from sodkeras.training.trainer import train

    origin = {"recipe": flag_values.recipe, "short": flag_values.short, "changes": changes}
    if flag_values.mask_value is not None:
        origin["mask_value"] = flag_values.mask_value
    strategy = flag_values.strategy, flag_values.devices
    train(settings, training, flag_values.out, validation, tests, *strategy, origin)
    return 0


def _find(flag_values, settings):
    """Training pairs, validation pairs, and test pairs by the name of their set."""
    from sodkeras.data import find_pairs, split_pairs

    value = flag_values.mask_value
    training = find_pairs(flag_values["data"].value, value)
    if flag_values["validation"].value:
        validation = find_pairs(flag_values["validation"].value, value)
    else:
        training, validation = split_pairs(training, settings.validation_share)
    tests = {}
    for pair in find_pairs(flag_values["test"].value, value):
        tests.setdefault(pair.set, []).append(pair)
    return training, validation, tests
