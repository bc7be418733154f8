"""Training that prunes: CSNet ×1 from scratch with dynamic and with plain weight decay, cut at the same threshold.

usage: python training/benchmarks/prune_csnet.py --data=FOLDER [--epochs=40] [--size=64] …

FOLDER holds weizmann_horses/ and human_290/, each with images/ and masks/. Half of the horses, by the SHA-256 of their
stem, and all of the people are trained on; the other horses are scored (maxF from averaged precision and recall, MAE,
at the picture's own size). For either decay the table gives parameters, the papers' FLOPs and the scores before
pruning, after each cut with statistics estimated anew, and after fine-tuning; or that a network cannot be cut so far,
for a block would have no channels left. Pictures are small and epochs few, to be done
in one sitting on two cores: the scores compare the two decays, not networks trained to the end.

Adam moves every γ by about the learning rate a step, whatever the gradient's size, and γ starts at 1: until the decay
has told idle channels from busy ones, the sum of the rates over all steps must be several times that. Hence the rate of
1e-2, a hundred times the papers' (whose 300 epochs have a hundred times the steps), falling along a cosine.
"""

import csv
import pathlib
import time

import numpy as np
from absl import app, flags

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "The folder around the data sets.", required=True)
flags.DEFINE_integer("size", 64, "Height and width of the pictures in training, a multiple of 16.")
flags.DEFINE_integer("batch", 16, "Pictures a step.")
flags.DEFINE_integer("epochs", 40, "Epochs of either training.")
flags.DEFINE_integer("fine_tune_epochs", 3, "Epochs after pruning.")
flags.DEFINE_float("learning_rate", 1e-2, "Adam's at the start; it falls to a hundredth along a cosine.")
flags.DEFINE_float("weight_decay", 5e-3, "Coupled L2 decay of what dynamic weight decay does not act on.")
flags.DEFINE_float("strength", 3.0, "λ of dynamic weight decay.")
flags.DEFINE_list(
    "thresholds", ["1e-2", "1e-3", "1e-5"], "|γ| under which a channel goes; 1e-20 after the papers' 300 epochs."
)
flags.DEFINE_list("ratios", ["0.5"], "The share of each layer's channels that goes instead, the smallest |γ| first.")
flags.DEFINE_bool("reuse", False, "Prune what an earlier run trained and left at OUT_*.keras and OUT_loss.csv.")
flags.DEFINE_string("out", str(HERE / "prune_csnet"), "Where the table and the curves go: OUT.csv, OUT_*.png.")


def read(data, size):
    """Training pictures and masks as arrays, and the held-out pairs."""
    from sodkeras import Preprocessing
    from sodkeras.data import Augmentation, find_pairs, split_pairs
    from sodkeras.data.samples import read_pair

    horses, held_out = split_pairs(find_pairs([data / "weizmann_horses"]), 0.5)
    plain, preprocessing, rng = Augmentation.none(), Preprocessing(size=(size, size)), np.random.default_rng(0)
    made = [plain(*read_pair(pair), preprocessing, rng) for pair in horses + find_pairs([data / "human_290"])]
    pictures, masks = zip(*made, strict=True)
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
    from sodkeras.metrics.scorer import score_model
    from sodkeras.predictor import Predictor

    pairs = [(pair.picture, pair.mask) for pair in held_out]
    evaluator, failures = score_model(Predictor(model), pairs, {"metrics": ["mae", "f"]})
    if failures:
        raise failures[0][1]
    return evaluator.result()


def train(decay, data, steps):
    """A CSNet ×1 trained with dynamic or plain weight decay, and its losses by epoch."""
    import keras

    from sodkeras import Preprocessing
    from sodkeras.callbacks import DynamicWeightDecay
    from sodkeras.models import CSNet
    from sodkeras.training.optimizers import make_optimizer
    from sodkeras.training.settings import Settings

    keras.utils.set_random_seed(0)
    model = CSNet(preprocessing=Preprocessing(size=(FLAGS.size, FLAGS.size)))
    dynamic = decay == "dynamic"
    settings = Settings(
        epochs=FLAGS.epochs,
        learning_rate=FLAGS.learning_rate,
        schedule="cosine",
        optimizer_arguments={"beta_1": 0.9, "beta_2": 0.99},
        weight_decay=FLAGS.weight_decay,
        decay_exempt="gammas" if dynamic else "none",
    )
    optimizer = make_optimizer(settings, model, steps)
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    callbacks = [DynamicWeightDecay(FLAGS.strength)] if dynamic else []
    history = model.fit(data, epochs=FLAGS.epochs, callbacks=callbacks, verbose=2)
    return model, history.history["loss"]


def read_losses():
    with open(f"{FLAGS.out}_loss.csv", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return {
        name: [float(value) for value in values] for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def main(_):
    from tabulate import tabulate

    from sodkeras.complexity import complexity
    from sodkeras.errors import SodkerasError
    from sodkeras.keras_file import load_keras
    from sodkeras.pruning import fine_tune, plots, prune_csnet, re_estimate_statistics

    size = FLAGS.size
    pictures, masks, held_out = read(pathlib.Path(FLAGS.data), size)
    data = epochs_of(pictures, masks, FLAGS.batch)
    print(f"{len(pictures)} pictures to train on, {len(held_out)} to score on")
    rows, plans, models, losses = [], {}, {}, {}

    def note(decay, cut, stage, model=None, seconds=None):
        numbers = dict.fromkeys(("parameters", "giga_flops_224", "max_f", "mae"), "")
        if model is not None:
            cost, result = complexity(model, (224, 224)), score(model, held_out)
            numbers = {
                "parameters": cost.parameters,
                "giga_flops_224": round(cost.flops / 1e9, 4),
                "max_f": round(result["max_f"], 4),
                "mae": round(result["mae"], 4),
            }
        rows.append(
            {
                "decay": decay,
                "cut": cut,
                "stage": stage,
                **numbers,
                "seconds": "" if seconds is None else round(seconds),
                "settings": f"size {size}, batch {FLAGS.batch}, epochs {FLAGS.epochs}+{FLAGS.fine_tune_epochs}, "
                f"lr {FLAGS.learning_rate:g} cosine, decay {FLAGS.weight_decay:g}, lambda {FLAGS.strength:g}, "
                f"{len(pictures)} training pictures, {len(held_out)} scored",
            }
        )
        print(rows[-1], flush=True)

    cuts = {f"γ < {threshold}": {"threshold": float(threshold)} for threshold in FLAGS.thresholds}
    cuts |= {f"share {ratio}": {"ratio": float(ratio)} for ratio in FLAGS.ratios}
    for decay in ("dynamic", "plain"):
        kept = pathlib.Path(f"{FLAGS.out}_{decay}.keras")
        start = time.monotonic()
        if FLAGS.reuse:
            models[decay] = load_keras(kept)
            losses[decay] = read_losses()[decay]
        else:
            models[decay], losses[decay] = train(decay, data, len(pictures) // FLAGS.batch)
            models[decay].save(kept)
        note(decay, "", "trained", models[decay], None if FLAGS.reuse else time.monotonic() - start)
        for cut, arguments in cuts.items():
            try:
                pruned, plan = prune_csnet(models[decay], **arguments)
            except SodkerasError as error:
                print(error)
                note(decay, cut, "refused: a block would have no channels left")
                continue
            if not any(label.startswith(decay) for label in plans):  # the bars of more would be too thin to see
                plans[f"{decay}, {cut}"] = plan
            re_estimate_statistics(pruned, (batch for batch, _ in data))
            note(decay, cut, "pruned, statistics estimated anew", pruned)
            start = time.monotonic()
            rate = FLAGS.learning_rate / 10
            fine_tune(pruned, data, epochs=FLAGS.fine_tune_epochs, learning_rate=rate, jit_compile=False, verbose=2)
            re_estimate_statistics(pruned, (batch for batch, _ in data))
            note(decay, cut, "fine-tuned, statistics estimated anew", pruned, time.monotonic() - start)

    with open(f"{FLAGS.out}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with open(f"{FLAGS.out}_loss.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([losses, *zip(*losses.values(), strict=True)])
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
