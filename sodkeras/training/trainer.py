"""The trainer, from top to bottom: settings in, a run's folder out.

A run's folder:

    settings.json   what was asked for, every setting as it was resolved, the data's digest, the versions
    log.csv, tensorboard/, samples/   see `sodkeras.training.run_log`
    checkpoints/    where training goes on after an interruption
    last.keras, best.keras            the network at the end, and where the validation's error was lowest
    pruned/         with `prune`: plan.json, initial.keras, and the folder of a run of its own that fine-tunes it
    evaluation/     scores and curves
    report.html     all of it on a page
"""

import dataclasses
import itertools
import json
import math
import os
import pathlib
from collections.abc import Sequence

import keras

from sodkeras.callbacks import DynamicWeightDecay
from sodkeras.data.pairs import Pair
from sodkeras.errors import SodkerasError
from sodkeras.evaluation import evaluate
from sodkeras.files import read_bytes, whole_file
from sodkeras.keras_file import load_keras
from sodkeras.metrics.tables import ScoreTable
from sodkeras.progress import say, warn
from sodkeras.pruning import prune, re_estimate_statistics
from sodkeras.training import distribution, optimizers
from sodkeras.training.checkpoints import Checkpoints
from sodkeras.training.feeding import file_errors, training_data, validation_data
from sodkeras.training.map_error import MapError
from sodkeras.training.network import build_model, load_weights
from sodkeras.training.run_folder import open_run, run_record
from sodkeras.training.run_log import ProgressLine, RunLog
from sodkeras.training.run_report import write_report
from sodkeras.training.safeguards import Interruption, KeepBest, KeepState, NoNaN, averaged_weights
from sodkeras.training.settings import Settings


def train(
    settings: Settings,
    training: Sequence[Pair],
    folder: str | os.PathLike,
    validation: Sequence[Pair] = (),
    tests: dict | None = None,
    strategy: str = "one",
    devices: int | None = None,
    origin: dict | None = None,
) -> ScoreTable | None:
    """Runs settings to the end, from the beginning or from where the run in the folder was stopped.

    Args:
        settings: a `Settings`.
        training, validation: lists of `sodkeras.data.Pair`; without the latter there is no best.keras.
        folder: the run's folder; new, empty, or one of a run of the same settings and pairs.
        tests: further lists of pairs to score at the end, by name.
        strategy, devices: name and count of `sodkeras.training.distribution.devices`.
        origin: what settings.json also says: the recipe's name and the like.

    Returns:
        The scores on the validation pairs and on `tests`; None without either, and for workers that are not the chief.

    Raises:
        SodkerasError: if the folder holds something else, and for all that a user can mend: settings, files, a full
            disk, a loss that is no number. What was reached is kept, and the same call goes on from there.
        KeyboardInterrupt: when interrupted; likewise.
    """
    folder = pathlib.Path(folder)
    machines = distribution.devices(strategy, devices)
    record = run_record(settings, training, validation, origin)
    machines.check_agreement(json.dumps([record["settings"], record["data"]]))
    if machines.is_chief:
        open_run(folder, record)
    _prepare_process(settings)

    models = _train_network(settings, training, validation, folder, machines)
    if settings.prune:
        models |= _prune(settings, training, validation, folder, machines)
    table = None
    if machines.is_chief:
        sets: dict[str, list[Pair]] = {}
        for pair in validation:
            sets.setdefault(f"{pair.set} (validation)", []).append(pair)
        sets |= tests or {}
        if sets:
            table, failures = evaluate(models, sets, folder / "evaluation")
            for path, error in failures:
                warn(f"{path} was not scored: {error}")
        write_report(folder)
        say(f"{folder}: last.keras, evaluation and report.html")
    return table


def _train_network(settings, training, validation, folder, machines):
    """Trains one network; returns the paths of its .keras files by name."""
    chief = machines.is_chief
    with machines.scope():
        keras.utils.set_random_seed(settings.seed)
        model = build_model(settings)
        model.batch_statistics = settings.batch_statistics
        data = training_data(settings, model.preprocessing, training)
        load_weights(settings, model, data.dataset())
        steps_per_epoch = settings.steps_per_epoch or data.steps_per_epoch
        _compile(settings, model, data.size, steps_per_epoch)
        machines.prepare(model)
        checkpoints = Checkpoints(folder / "checkpoints", model, write=chief)
        step, notes = checkpoints.restore()
    machines.check_agreement(f"step {step}")  # or workers do not see the same folder
    # What is saved needs no more than the weights, in float32, whatever computed them.
    keepsake = build_model(dataclasses.replace(settings, policy="float32"))

    def save(name):
        with averaged_weights(model):
            keepsake.set_weights(model.get_weights())
        if chief:
            with whole_file(folder / name) as temporary:
                keepsake.save(temporary)

    total = steps_per_epoch * settings.epochs
    if step < total:
        interruption = Interruption()

        def stop():
            return machines.anyone(interruption.asked)

        best = KeepBest(lambda: save("best.keras"), notes.get("best") or math.inf)
        callbacks = [NoNaN(data, step)]
        if settings.dynamic_decay:
            callbacks.insert(0, DynamicWeightDecay(settings.dynamic_decay, settings.dynamic_decay_form))
        if settings.ema_momentum:
            callbacks.append(keras.callbacks.SwapEMAWeights())
        if chief:
            callbacks.append(ProgressLine(total, settings.batch, step))
            spread = validation[:: max(1, len(validation) // max(1, settings.samples))]
            callbacks.append(RunLog(folder, spread[: settings.samples], step))
        callbacks += [best, KeepState(checkpoints, steps_per_epoch, settings.save_every, best, stop, step)]
        if chief:
            say(f"{len(training)} pictures to train on, {len(validation)} to validate with")
            if step:
                say(f"going on from step {step} of {total}")
        shared = machines.even(validation)
        held_out = validation_data(shared, model.preprocessing, settings.batch) if shared else None

        def batches(first_step):
            return machines.own_part(data, first_step)

        with interruption.listen(), file_errors(), machines.failures():
            _fit(model, batches, held_out, callbacks, step, steps_per_epoch, settings.epochs)
    save("last.keras")
    models = {name: folder / f"{name}.keras" for name in ("last", "best") if (folder / f"{name}.keras").exists()}
    if settings.re_estimate and chief:
        for path in models.values():
            _re_estimate(path, data, settings.re_estimate)
    return models


def _fit(model, batches, held_out, callbacks, step, steps_per_epoch, epochs):
    """Plain `fit`, from a step that may be in the middle of an epoch: what is left of that epoch comes first."""
    callbacks = keras.callbacks.CallbackList(callbacks, add_history=True, model=model, epochs=epochs)

    def fit(first_step, last_epoch, steps):
        model.fit(
            batches(first_step),
            validation_data=held_out,
            initial_epoch=first_step // steps_per_epoch,
            epochs=last_epoch,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,  # it is
            verbose=0,
        )

    epoch, done = divmod(step, steps_per_epoch)
    if done:
        fit(step, epoch + 1, steps_per_epoch - done)
        epoch += 1
    if epoch < epochs:
        fit(epoch * steps_per_epoch, epochs, steps_per_epoch)


def _prune(settings, training, validation, folder, machines):
    """Prunes the trained network, and fine-tunes it; returns the paths of the .keras files by name."""
    trained, folder = folder / "last.keras", folder / "pruned"
    initial, plan_file, how_file = folder / "initial.keras", folder / "plan.json", folder / "prune.json"
    how = json.dumps(settings.prune)
    chief = machines.is_chief
    if chief and not (initial.exists() and how_file.exists() and how_file.read_text(encoding="utf-8") == how):
        try:
            pruned, arguments, _ = prune(load_keras(trained), **settings.prune)
        except (TypeError, ValueError) as error:
            raise SodkerasError(
                f"The network cannot be pruned so; change the setting prune, and the same command prunes what was "
                f"trained ({error}) Received: {settings.prune}"
            ) from None
        with whole_file(initial) as temporary:
            pruned.save(temporary)
        _re_estimate(initial, training_data(settings, pruned.preprocessing, training), settings.re_estimate or 50)
        for path, text in ((plan_file, json.dumps(arguments["plan"])), (how_file, how)):
            with whole_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    machines.check_agreement("pruned")  # nobody goes on before the files are there
    models = {"pruned": initial}
    if settings.fine_tune:
        changes = {"prune": {}, "fine_tune": {}, "dynamic_decay": 0.0, "decay_exempt": "none", "backbone_weights": None}
        changes |= {"arguments.plan": json.loads(read_bytes(plan_file)), "initial_weights": os.path.abspath(initial)}
        tuned = settings.changed(changes | settings.fine_tune)
        if chief:
            open_run(folder, run_record(tuned, training, validation, None))
        found = _train_network(tuned, training, validation, folder, machines)
        models |= {f"pruned, fine-tuned ({name})": path for name, path in found.items()}
    return models


def _compile(settings, model, size, steps_per_epoch):
    """Compiles the model and makes every variable that training will have, so that a checkpoint can fill them."""
    unknown = sorted(set(settings.output_weights) - set(model.output))
    if unknown:
        raise SodkerasError(f"The network's outputs are {', '.join(model.output)}. Received: output_weights {unknown}")
    first = next(iter(model.output))
    model.compile(
        optimizers.make_optimizer(settings, model, steps_per_epoch),
        optimizers.make_loss(settings),
        loss_weights={name: float(settings.output_weights.get(name, 1.0)) for name in model.output},
        metrics={first: [MapError(name="mae")]},
        jit_compile=_jit_compile(),
    )
    fixed = [side for side, wanted in zip(model.input_shape[1:3], size, strict=True) if side not in (None, wanted)]
    if fixed:
        raise SodkerasError(
            f"The network's input is {model.input_shape[1]}×{model.input_shape[2]}; make arguments.input_shape and "
            f"size alike. Received: {size[0]}×{size[1]}"
        )
    nothing = keras.ops.zeros((1, *size, 1))
    outputs = dict.fromkeys(model.output, nothing)
    model.compute_loss(y=nothing, y_pred=outputs)
    model.compute_metrics(None, nothing, outputs)
    model.reset_metrics()


def _jit_compile():
    """Whether to compile with XLA: on a CPU that takes a minute and gains nothing."""
    return _has_gpu() if keras.backend.backend() == "tensorflow" else "auto"


def _has_gpu():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _re_estimate(path, data, count):
    """Gives the batch norms of a .keras file the statistics of some batches of training."""
    model = load_keras(path)
    re_estimate_statistics(model, (batch[0] for batch in itertools.islice(data.dataset(), count)))
    with whole_file(path) as temporary:
        model.save(temporary)


def _prepare_process(settings):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        wanted = settings.deterministic
        if not _has_gpu() if wanted is None else wanted:
            tf.config.experimental.enable_op_determinism()
