"""Training that prunes: CSNet ×1 from scratch with dynamic and with plain weight decay, cut at the same threshold.

usage: python benchmarks/prune_csnet.py --data=FOLDER [--epochs=12] [--size=96] …

FOLDER holds weizmann_horses/ and human_290/, each with images/ and masks/. Half of the horses, by the SHA-256 of their
stem, and all of the people are trained on; the other horses are scored (maxF from averaged precision and recall, MAE,
at the picture's own size). For either decay the table gives parameters, the papers' FLOPs and the scores before
pruning, after it with statistics estimated anew, and after fine-tuning. Pictures are small and epochs few, to be done
in one sitting on two cores: the scores compare the two decays, not networks trained to the end.
"""

import csv
import hashlib
import pathlib
import time

import numpy as np
from absl import app, flags

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
flags.DEFINE_integer("size", 96, "Height and width of the pictures in training, a multiple of 16.")
flags.DEFINE_integer("batch", 16, "Pictures a step.")
flags.DEFINE_integer("epochs", 12, "Epochs of either training.")
flags.DEFINE_integer("fine_tune_epochs", 3, "Epochs after pruning.")
flags.DEFINE_float("learning_rate", 3e-3, "Adam's; the papers' 300 epochs use 1e-4.")
flags.DEFINE_float("weight_decay", 5e-3, "Coupled L2 decay of what dynamic weight decay does not act on.")
flags.DEFINE_float("strength", 3.0, "λ of dynamic weight decay.")
flags.DEFINE_float("threshold", 1e-2, "|γ| under which a channel goes; 1e-20 after the papers' 300 epochs.")
flags.DEFINE_string("out", str(HERE / "prune_csnet"), "Where the table and the curves go: OUT.csv, OUT_*.png.")


def read(data, size):
    """Training pictures and masks as arrays, and the held-out horses as paths."""
    import cv2

    from sodkeras import Preprocessing
    from sodkeras.metrics.folders import read_grey
    from sodkeras.pictures import find_pictures, read_picture

    preprocessing = Preprocessing(size=(size, size))
    pictures, masks, held_out = [], [], []
    for folder in ("weizmann_horses", "human_290"):
        by_stem = {path.stem: path for path in (data / folder / "masks").iterdir()}
        for path in find_pictures([data / folder / "images"]):
            mask = by_stem[path.stem]
            if folder == "weizmann_horses" and int(hashlib.sha256(path.stem.encode()).hexdigest()[-1], 16) >= 8:
                held_out.append((path, mask))
                continue
            pictures.append(preprocessing(read_picture(path))[0])
            small = cv2.resize(read_grey(mask), (size, size), interpolation=cv2.INTER_LINEAR)
            masks.append(np.float32(small)[..., None] / 255)
    return np.stack(pictures), np.stack(masks), held_out


def epochs_of(pictures, masks, batch):
    """A dataset of shuffled, mirrored batches, anew each epoch."""
    import tensorflow as tf

    def mirror(picture, mask):
        both = tf.image.random_flip_left_right(tf.concat([picture, mask], -1))
        return both[..., :3], both[..., 3:]

    data = tf.data.Dataset.from_tensor_slices((pictures, masks)).shuffle(len(pictures), seed=0)
    return data.map(mirror).batch(batch, drop_remainder=True).prefetch(2)


def score(model, held_out):
    from sodkeras.metrics import Evaluator
    from sodkeras.metrics.folders import read_grey
    from sodkeras.predictor import Predictor

    evaluator = Evaluator(["mae", "f"])
    masks = dict(held_out)
    for path, _, saliency_map in Predictor(model).stream(masks):
        evaluator.update(saliency_map, read_grey(masks[path]))
    return evaluator.result()


def main(_):
    import keras
    from tabulate import tabulate

    from sodkeras import Preprocessing
    from sodkeras.analysis.complexity import complexity
    from sodkeras.callbacks.dynamic_weight_decay import DynamicWeightDecay
    from sodkeras.callbacks.weight_decay_groups import exempt_gammas, set_weight_decay
    from sodkeras.models import CSNet
    from sodkeras.pruning import plots, prune
    from sodkeras.pruning.recovery import fine_tune, re_estimate_statistics

    size = FLAGS.size
    pictures, masks, held_out = read(pathlib.Path(FLAGS.data), size)
    data = epochs_of(pictures, masks, FLAGS.batch)
    print(f"{len(pictures)} pictures to train on, {len(held_out)} to score on")
    rows, plans, models, losses = [], {}, {}, {}

    def note(decay, stage, model, seconds=0.0):
        cost, result = complexity(model, (224, 224)), score(model, held_out)
        rows.append(
            {
                "decay": decay,
                "stage": stage,
                "parameters": cost.parameters,
                "giga_flops_224": round(cost.flops / 1e9, 4),
                "max_f": round(result["max_f"], 4),
                "mae": round(result["mae"], 4),
                "seconds": round(seconds),
                "settings": f"size {size}, batch {FLAGS.batch}, epochs {FLAGS.epochs}+{FLAGS.fine_tune_epochs}, "
                f"lr {FLAGS.learning_rate:g}, decay {FLAGS.weight_decay:g}, lambda {FLAGS.strength:g}, "
                f"threshold {FLAGS.threshold:g}, {len(pictures)} training pictures, {len(held_out)} scored",
            }
        )
        print(rows[-1], flush=True)

    for decay in ("dynamic", "plain"):
        keras.utils.set_random_seed(0)
        model = CSNet(preprocessing=Preprocessing(size=(size, size)))
        dynamic = decay == "dynamic"
        set_weight_decay(model, FLAGS.weight_decay, exempt_gammas(model) if dynamic else ())
        optimizer = keras.optimizers.Adam(FLAGS.learning_rate, beta_1=0.9, beta_2=0.99)
        optimizer.build(model.trainable_variables)
        model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
        callbacks = [DynamicWeightDecay(FLAGS.strength)] if dynamic else []
        start = time.monotonic()
        history = model.fit(data, epochs=FLAGS.epochs, callbacks=callbacks, verbose=2)
        losses[decay] = history.history["loss"]
        note(decay, "trained", model, time.monotonic() - start)
        models[decay] = model
        pruned, plans[decay] = prune(model, threshold=FLAGS.threshold)
        re_estimate_statistics(pruned, (batch for batch, _ in data))
        note(decay, "pruned, statistics estimated anew", pruned)
        start = time.monotonic()
        fine_tune(pruned, data, epochs=FLAGS.fine_tune_epochs, learning_rate=FLAGS.learning_rate / 10, verbose=2)
        note(decay, "fine-tuned", pruned, time.monotonic() - start)

    with open(f"{FLAGS.out}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(tabulate(rows, headers="keys"))
    plots.plot_channels({"unpruned": models["dynamic"].channels, **plans}).savefig(f"{FLAGS.out}_channels.png", dpi=80)
    plots.plot_gammas(models).savefig(f"{FLAGS.out}_gammas.png", dpi=80)
    figure_of_losses(losses).savefig(f"{FLAGS.out}_loss.png", dpi=80)


def figure_of_losses(losses):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for decay, values in losses.items():
        axes.plot(range(1, len(values) + 1), values, label=decay)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss, decay included")
    axes.set_yscale("log")
    axes.legend()
    return figure


if __name__ == "__main__":
    app.run(main)
