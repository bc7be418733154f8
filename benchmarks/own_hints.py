"""Teaches a DNL, beside the map, what a U²-Net computes inside: an encoder without ImageNet weights learns faster so.

usage: python benchmarks/own_hints.py --start=NETWORK.keras … --teacher=U2NET.keras --out=NETWORK.keras
           --data=SOURCE … [--dilation_rates=6,12] [--keep=0] [--steps=4000] [--rate=0.004] [--seed=0]

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015. A map is one number about each place of a
picture, and a few thousand pictures are few; features are a hundred numbers about each.

The teacher looks once at every picture. What its encoders 3 to 6 and decoders 3 to 5 give is brought to an eighth of
its picture's side, each channel to a variance of one, and the 96 directions that vary most are kept: the hints.
Behind the last block of each of the encoder's stages at that scale a 1×1 convolution, thrown away at the end, is to
give them, beginning with nothing: the sum of the mean squared errors counts as much as the map's cross-entropy and IoU.
Of several --start it begins with the mean of their weights, the last being the one that went on from the others.
--dilation_rates leaves out the other branches of its ASPP. With --keep what is written has that share of what it began
with (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
Pictures are square. Parts and flips are those of picture, map and hints alike. Sources are as `sodkeras train` takes
them, each picture counting once. What is written is the moving average of the weights, which
`sodkeras train --network=FILE.keras` goes on from, with modules and at other sizes, and beside it a .json for
package_weights.py. The same command goes on with what was stopped, from the last multiple of some 250 steps; the
pictures' order begins anew.
"""

import json
import pathlib
import re
import time

import cv2
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags
from tqdm import tqdm

from sodkeras.data import find_pairs
from sodkeras.files import whole_file
from sodkeras.flatten import tap
from sodkeras.losses import IntersectionOverUnionFromLogits, WeightedSum
from sodkeras.pictures import read_picture
from sodkeras.weights import load_model

FLAGS = flags.FLAGS
flags.DEFINE_multi_string("start", None, "The network to teach; of several their mean.", required=True)
flags.DEFINE_string("teacher", None, "A trained U²-Net.", required=True)
flags.DEFINE_string("out", None, "The .keras file to write.", required=True)
flags.DEFINE_multi_string("data", [], "Pictures and masks to learn from.")
flags.DEFINE_list("dilation_rates", None, "The branches of ASPP to keep, if not all.")
flags.DEFINE_float("keep", 0, "The share of its first weights in what is written.", lower_bound=0, upper_bound=1)
flags.DEFINE_integer("steps", 4000, "Batches.", lower_bound=1)
flags.DEFINE_integer("batch", 16, "Pictures in a batch.", lower_bound=1)
flags.DEFINE_float("rate", 4e-3, "The highest learning rate.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Of the pictures' order and of how they are changed.")
_TAPS = ("encoder3", "encoder4", "encoder5", "encoder6", "decoder5", "decoder4", "decoder3")
_COMPONENTS = 96
#: Side that is kept of pictures and masks, by the network's, and the least share of it that is seen.
_KEPT, _LEAST = 11 / 8, 0.7
#: Steps after which a training that is stopped goes on.
_EPOCH = 250


class Hints:
    """What a teacher computes inside, at an eighth of its picture's side, as few numbers."""

    def __init__(self, teacher):
        self.preprocessing = teacher.preprocessing
        self.side = self.preprocessing.size[0] // 8
        self._look = tap(teacher, [teacher.get_layer(name).output for name in _TAPS])
        self._basis = None

    def features(self, pictures):
        """`[N, side, side, C]` in half precision."""
        found = self._look(np.stack([self.preprocessing(picture)[0] for picture in pictures]))
        return np.concatenate([_resized(maps, self.side) for maps in found], -1).astype(np.float16)

    def fit(self, features):
        """Finds the directions that vary most. Returns the share of the variance that they have."""
        rows = features[:, ::3, 1::3].reshape(-1, features.shape[-1]).astype(np.float32)
        mean, deviation = rows.mean(0), rows.std(0) + 1e-6
        rows = (rows - mean) / deviation
        variances, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
        variances, vectors = variances[::-1][:_COMPONENTS], vectors[:, ::-1][:, :_COMPONENTS]
        self._basis = mean, deviation, vectors / np.sqrt(variances.mean())
        return float(variances.sum() / rows.shape[1])

    def __call__(self, features):
        mean, deviation, vectors = self._basis
        found = [((maps.astype(np.float32) - mean) / deviation @ vectors).astype(np.float16) for maps in features]
        return np.stack(found)


def _resized(maps, side):
    how = cv2.INTER_AREA if maps.shape[1] > side else cv2.INTER_LINEAR
    return np.stack([_stack_of_maps(one, side, how) for one in maps])


def _stack_of_maps(maps, side, how):
    """OpenCV resizes four channels at once."""
    parts = (np.ascontiguousarray(maps[..., start : start + 4]) for start in range(0, maps.shape[-1], 4))
    return np.concatenate(
        [cv2.resize(part, (side, side), interpolation=how).reshape(side, side, -1) for part in parts], -1
    )


def read(sources, hints, side, batch=8):
    """Pictures and masks of this side, weights, and the teacher's features of the pairs of some sources."""
    pairs = list({pair.picture.resolve(): pair for pair in find_pairs(sources)}.values())
    pictures, masks, features = [], [], []
    for start in tqdm(range(0, len(pairs), batch), unit="batch"):
        part = pairs[start : start + batch]
        opened = [read_picture(pair.picture) for pair in part]
        features.append(hints.features(opened))
        pictures += [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in opened]
        found = [cv2.cvtColor(read_picture(pair.mask), cv2.COLOR_RGB2GRAY) for pair in part]
        masks += [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA)[..., None] for one in found]
    weights = np.array([pair.weight for pair in pairs], np.float32)
    return np.stack(pictures), np.stack(masks), weights, np.concatenate(features)


def batches(arrays, count, rng):
    """Batches without end, and which part of each picture is seen: `[y1, x1, y2, x2]`, mirrored where x2 < x1."""
    while True:
        order = rng.permutation(len(arrays[0]))
        for start in range(0, len(order) - count + 1, count):
            height = rng.uniform(_LEAST, 1, count)
            width = np.clip(height * np.exp(rng.uniform(-0.15, 0.15, count)), 0.6, 1)
            top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
            parts = np.stack([top, left, top + height, left + width], 1).astype(np.float32)
            mirrored = rng.random(count) < 0.5
            parts[mirrored] = parts[mirrored][:, [0, 3, 2, 1]]
            chosen = order[start : start + count]
            yield *(array[chosen] for array in arrays), parts


def changed(pictures, masks, weights, hints, parts, preprocessing, side):
    """Of a batch, at the network's size: parts of the pictures in other colours, masks, weights; hints of this side."""
    count, size = tf.shape(parts)[0], preprocessing.size[0]

    def cut(images, side):
        return tf.image.crop_and_resize(tf.cast(images, tf.float32), parts, tf.range(count), (side, side))

    def factor(change, channels=1):
        return tf.random.uniform((count, 1, 1, channels), 1 - change, 1 + change)

    x = cut(pictures, size) / 255 * factor(0.15) * factor(0.05, 3)
    mean = tf.reduce_mean(x, [1, 2], keepdims=True)
    x = mean + (x - mean) * factor(0.3)
    grey = tf.reduce_mean(x, -1, keepdims=True)
    x = tf.clip_by_value(grey + (x - grey) * factor(0.4), 0, 1)
    return (
        (x - preprocessing.mean) / preprocessing.standard_deviation,
        cut(masks, size) / 255,
        weights,
        cut(hints, side),
    )


def started(networks, dilation_rates):
    """A DNL with the mean of the networks' weights, and of its ASPP's dilated branches these alone."""
    config = networks[0].get_config()
    rates = [int(rate) for rate in dilation_rates or config["aspp_dilation_rates"]]
    if not set(rates) <= set(config["aspp_dilation_rates"]):
        raise app.UsageError(f"--dilation_rates must be of {config['aspp_dilation_rates']}, got {rates}")
    network = type(networks[0]).from_config(config | {"aspp_dilation_rates": rates})
    # The decoder's channels are those of the 1×1 branch, of one branch for each rate, and of the pooled one.
    branches = [1, *(rate in rates for rate in config["aspp_dilation_rates"]), 1]
    seen = np.repeat(np.array(branches, bool), config["aspp_filters"])
    found = [{variable.path: variable.numpy() for variable in one.weights} for one in networks]
    for variable in network.weights:
        mean = np.mean([weights[variable.path] for weights in found], 0)
        variable.assign(mean[:, :, seen] if variable.path == "decoder/decoder_conv/kernel" else mean)
    return network


def with_hints(network, count):
    """The network with a convolution behind the last block of every stage at an eighth: the map, and what they give."""
    last = {}
    for layer in network.layers:
        stage = re.fullmatch(r"mobilenet_v2_(ir\d+)_\d+_(sum|project)", layer.name)
        if stage:
            last[stage[1]] = layer.output
    if not last or None in network.input.shape[1:3]:
        raise app.UsageError(f"--start needs a DNL with a fixed size of its pictures, got {network.name}")
    side = min(tensor.shape[1] for tensor in last.values())
    heads = {
        # Not at random: an encoder that others have trained gives large numbers, and would first be made to give less.
        f"hint_{stage}": keras.layers.Conv2D(count, 1, kernel_initializer="zeros", name=f"hint_{stage}")(tensor)
        for stage, tensor in last.items()
        if tensor.shape[1] == side
    }
    return keras.Model(network.inputs, {"saliency_logits": network.output["saliency_logits"]} | heads)


def main(_):
    rng = np.random.default_rng(FLAGS.seed)
    keras.utils.set_random_seed(FLAGS.seed)
    network = started([load_model(name) for name in FLAGS.start], FLAGS.dilation_rates)
    hints = Hints(load_model(FLAGS.teacher))
    model = with_hints(network, _COMPONENTS)
    names = [name for name in model.output if name != "saliency_logits"]
    side = model.output[names[0]].shape[1]
    *arrays, features = read(FLAGS.data, hints, round(_KEPT * network.preprocessing.size[0]))
    print(f"{len(features)} pictures; hints have {hints.fit(features):.3f} of what varies")
    arrays.append(hints(features))
    del features

    def prepared(*batch):
        x, masks, weights, targets = changed(*batch, network.preprocessing, side)
        whole = tf.ones_like(weights)[:, None, None]
        return (
            x,
            {"saliency_logits": masks} | dict.fromkeys(names, targets),
            {"saliency_logits": weights} | dict.fromkeys(names, whole),
        )

    shapes = [tf.TensorSpec((FLAGS.batch, *array.shape[1:]), array.dtype) for array in arrays]
    data = tf.data.Dataset.from_generator(
        lambda: batches(arrays, FLAGS.batch, rng),
        output_signature=(*shapes, tf.TensorSpec((FLAGS.batch, 4), tf.float32)),
    )
    warm_up = min(150, FLAGS.steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        FLAGS.rate / 100, FLAGS.steps - warm_up, warmup_target=FLAGS.rate, warmup_steps=warm_up
    )
    map_loss = WeightedSum([keras.losses.BinaryCrossentropy(from_logits=True), IntersectionOverUnionFromLogits()])
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=10.0, use_ema=True, ema_momentum=0.995),
        loss={"saliency_logits": map_loss} | dict.fromkeys(names, "mse"),
        jit_compile=False,
    )
    first = network.get_weights()
    epochs = max(1, round(FLAGS.steps / _EPOCH))
    began = time.monotonic()
    done = model.fit(
        data.map(prepared).prefetch(4),
        epochs=epochs,
        steps_per_epoch=FLAGS.steps // epochs,
        shuffle=False,
        callbacks=[keras.callbacks.BackupAndRestore(f"{FLAGS.out}.backup")],
    )
    # Of a training that had been stopped this is the time of the last part alone; the others went as quickly.
    minutes = (time.monotonic() - began) / 60 * epochs / max(1, len(done.epoch))
    network.set_weights(kept(first, network.get_weights(), FLAGS.keep))
    out = pathlib.Path(FLAGS.out)
    with whole_file(out) as temporary:
        network.save(temporary)
    with whole_file(out.with_suffix(".json")) as temporary:
        told = record(network, epochs * (FLAGS.steps // epochs), minutes)
        temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def kept(first, last, share):
    """Between weights before and after training, with this share of the first."""
    return [share * was + (1 - share) * now for was, now in zip(first, last, strict=True)]


def record(network, steps, minutes):
    """What a model card says of this training."""
    *starts, teacher, out = (pathlib.Path(name).name for name in (*FLAGS.start, FLAGS.teacher, FLAGS.out))
    given = [f"--start={start}" for start in starts] + [f"--teacher={teacher}", "--data=FOLDER", f"--out={out}"]
    if FLAGS.dilation_rates:
        given.append(f"--dilation_rates={','.join(FLAGS.dilation_rates)}")
    if FLAGS.keep:
        given.append(f"--keep={FLAGS.keep:g}")
    command = f"python benchmarks/own_hints.py {' '.join(given)}"
    command += f" --steps={FLAGS.steps} --batch={FLAGS.batch} --rate={FLAGS.rate:g} --seed={FLAGS.seed}"
    stage = "steps of {} with hints, at {}×{}".format(FLAGS.batch, *network.preprocessing.size)
    return {
        "taught": FLAGS.start[-1],
        "command": command,
        "epochs": {stage: steps},
        "minutes": {stage: round(minutes)},
    }


if __name__ == "__main__":
    app.run(main)
