"""sodkeras train: trains a network by a recipe, on folders of pictures and masks.

usage: sodkeras train --recipe=NAME --data=[NAME=]SET --out=FOLDER [--short] [--flag=value ...]

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
  sodkeras train --recipe=fine_tune -m runs/first/best.keras --data=mine --out=runs/mine
"""

import collections
import json
import sys

from sodkeras.errors import UsageError
from sodkeras.progress import warn

# The settings that have a flag of their own.
_NAMED = ("model", "size", "epochs", "batch", "learning_rate", "seed", "policy")

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "train"


def define_flags(options):
    from sodkeras.training.settings import recipe_names

    options.text("recipe", None, f"{', '.join(recipe_names())}, or a Python file of your own.")
    options.require("recipe")
    options.switch("short", False, "Take the recipe's version for a laptop.")
    for name, text in (
        ("data", "[NAME=]SET: pictures and masks to train on."),
        ("validation", "[NAME=]SET: pictures and masks to choose the best weights by."),
        ("test", "[NAME=]SET: pictures and masks to score at the end."),
        ("set", "KEY=VALUE: changes a setting."),
    ):
        options.several(name, text)
    options.text("out", None, "The run's folder.", short="o")
    options.choice("strategy", "one", ["one", "mirrored", "multiworker"], "Which devices train.")
    options.whole("devices", None, "GPUs of this machine that take part; default all.")
    options.mask_value()
    options.switch("check", True, "Look at every file before training.")
    options.switch("settings", False, "Print the settings and stop.")
    options.json()
    options.text("model", None, "A network to train further, or a class; as --set=model=VALUE.", short="m")
    options.size("Of the network's input; as --set=size=VALUE.")
    for name in ("epochs", "batch", "seed"):
        options.whole(name, None, f"The same as --set={name}=VALUE.", least=None)
    options.number("learning_rate", None, "The same as --set=learning_rate=VALUE.", least=None)
    options.text("policy", None, "The same as --set=policy=VALUE.")


def run(options, arguments):
    from sodkeras.training.settings import parse_changes, read_recipe

    if arguments:
        raise UsageError(f"everything is a flag here. Received: {' '.join(arguments)}")
    changes = {name: getattr(options, name) for name in _NAMED if getattr(options, name) is not None}
    changes |= parse_changes(options.set)
    settings = read_recipe(options.recipe, options.short).changed(changes)
    if options.settings:
        if options.json:
            print(json.dumps(settings.to_dict(), indent=1, ensure_ascii=False))
            return 0
        for name, value in settings.to_dict().items():
            print(f"{name} = {value!r}")
        return 0
    if not options.data or not options.out:
        raise UsageError("name --data and --out")

    training, validation, tests = _find(options, settings)
    if options.check:
        from sodkeras.data.check import check_pairs, stop_if_fatal

        everything = [*training, *validation, *(pair for pairs in tests.values() for pair in pairs)]
        problems = check_pairs(everything, progress=sys.stderr.isatty())
        stop_if_fatal(problems)
        if problems:
            kinds = collections.Counter(problem.kind for problem in problems)
            found = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
            warn(f"found in the data: {found}; sodkeras data --check lists them and says what to do")

    from sodkeras.commands.startup import import_keras

    # Other strategies choose the devices before anything looks for them.
    import_keras(find_devices=options.strategy == "one")
    from sodkeras.training.trainer import train

    origin = {"recipe": options.recipe, "short": options.short, "changes": changes}
    if options.mask_value is not None:
        origin["mask_value"] = options.mask_value
    strategy = options.strategy, options.devices
    table = train(settings, training, options.out, validation, tests, *strategy, origin)
    if table:
        print(table.json() if options.json else table.terminal(), end="" if options.json else "\n")
    return 0


def _find(options, settings):
    """Training pairs, validation pairs, and test pairs by the name of their set."""
    from sodkeras.data import find_pairs, split_pairs

    value = options.mask_value
    training = find_pairs(options.data, value)
    if options.validation:
        validation = find_pairs(options.validation, value)
    else:
        training, validation = split_pairs(training, settings.validation_share)
    tests = {}
    for pair in find_pairs(options.test, value):
        tests.setdefault(pair.set, []).append(pair)
    return training, validation, tests
