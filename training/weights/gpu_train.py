"""Trains a network on a GPU with PyTorch, for a machine that is lent by the minute and has no TensorFlow.

usage: python training/weights/gpu_train.py --network=FILE.keras --parts=part0.npz,part1.npz --out=FOLDER
           --seconds=900 [--stop_after=540] [--size=128] [--batch=32] [--learning_rate=1e-3] [--bfloat16]
           [--arguments='{"positions": [3, 4]}']

The parts are gpu_pack.py's, the network is any `SaliencyModel`. It sees pictures flipped, larger or smaller, in other
colours, much as `sodkeras.data.Augmentation` makes them, and learns by BCE + IoU. The learning rate follows the clock,
up for a little while, then down along a cosine to 0 after --seconds. The same command goes on from what lies in --out:
the weights as saved, the clock where it stood; Adam begins anew, and the rate climbs once more. In --out are

    weights.npz   the last state: kernels in float16, vectors in float32, the network's configuration, what was done
    log.csv       losses, and what the network makes of the pairs kept out of training, at its own size
    last.keras    the same weights, to go on with on the same machine
    check.npz     four of the kept pictures as the network gets them, and its logits, for gpu_check.py

--arguments changes the network as those of `sodkeras train` do, which needs `sodkeras.training`. Needs Keras beside
PyTorch, NumPy and OpenCV.
"""

import concurrent.futures
import csv
import dataclasses
import functools
import json
import os
import pathlib
import time

os.environ["KERAS_BACKEND"] = "torch"

import cv2
import keras
import numpy as np
import torch
from absl import app, flags
from torch.nn import functional

from sodkeras.files import whole_file
from sodkeras.keras_file import load_keras
from sodkeras.metrics.evaluator import Evaluator

FLAGS = flags.FLAGS
flags.DEFINE_string("network", None, "The .keras file to begin with.", required=True)
flags.DEFINE_list("parts", None, "What gpu_pack.py made, all parts of it.", required=True)
flags.DEFINE_string("out", None, "The folder for what is trained.", required=True)
flags.DEFINE_float("seconds", None, "Of training, all calls together.", required=True, lower_bound=0)
flags.DEFINE_float("stop_after", None, "Seconds from a call's start until it trains no more; default none.")
flags.DEFINE_integer("steps", None, "Steps of a call, to try it; default all that there is time for.", lower_bound=1)
flags.DEFINE_integer("size", None, "Side of the network's pictures; default its own.", lower_bound=1)
flags.DEFINE_integer("batch", 32, "Pictures a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "The highest.", lower_bound=0)
flags.DEFINE_float("warm_up", 10, "Seconds until the rate is the highest.", lower_bound=0)
# On CPUs some releases of PyTorch get gradients of dilated depthwise convolutions wrong in bfloat16.
flags.DEFINE_bool("bfloat16", False, "Whether a GPU computes convolutions and matrix products in bfloat16.")
flags.DEFINE_float("save_every", 120, "Seconds between two states.", lower_bound=0)
flags.DEFINE_string("arguments", "", "JSON: what the network is to be otherwise than in its file.")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
#: The most bytes that weights.npz may have, for its way back.
LARGEST = 16_000_000
# As dnl.py augments: factors of size; the largest changes of colours.
_SCALE, _BRIGHTNESS, _CONTRAST, _SATURATION = (0.8, 1.5), 0.1, 0.2, 0.3
_GREY = (0.299, 0.587, 0.114)
_VALIDATED = 64  # pictures at a time
_LOG = ("seconds", "step", "learning_rate", "loss", "val_loss", "val_mae", "val_max_f")


@dataclasses.dataclass
class Pairs:
    """Pairs on the device: `pixels`, RGB and the mask, uint8 `[N, 4, S, S]`, and `stems`, their names."""

    pixels: torch.Tensor
    stems: list


def read_parts(paths):
    """The pairs of a pack, or of some of its parts, in their order: (those to train on, those kept out of it)."""
    parts = sorted((dict(np.load(path)) for path in paths), key=lambda part: int(part["first"]))
    sizes, firsts = ({int(part[name]) for part in parts} for name in ("size", "first"))
    if len(sizes) != 1 or len(firsts) != len(parts):
        raise app.UsageError(f"Give the parts of one pack, each once. Received: {', '.join(map(str, paths))}")
    files = []
    for part in parts:
        each = (np.split(part[f"{kind}s"], np.cumsum(part[f"{kind}_bytes"])[:-1]) for kind in ("picture", "mask"))
        files += zip(*each, strict=True)
    with concurrent.futures.ThreadPoolExecutor() as executor:
        pixels = torch.from_numpy(np.stack(list(executor.map(_decode, files))))
    stems = np.array([stem for part in parts for stem in part["stems"].tobytes().decode().split("\n")])
    kept = np.concatenate([part["kept"] for part in parts])
    if kept.all() or not kept.any():
        raise app.UsageError(f"There are pairs to train on, and pairs kept out. Received: {kept.sum()} of {len(kept)}")
    print(f"{(~kept).sum():,} pairs to train on, {kept.sum():,} kept out, of {int(parts[0]['total']):,}", flush=True)
    return [Pairs(pixels[torch.from_numpy(chosen)].to(DEVICE), stems[chosen].tolist()) for chosen in (~kept, kept)]


def _decode(files):
    picture, mask = (cv2.imdecode(content, cv2.IMREAD_COLOR) for content in files)
    return np.concatenate([picture[..., ::-1], mask[..., :1]], -1).transpose(2, 0, 1)


def order(count, batch, generator):
    """Endless batches of indices `[batch]`: permutations, without what does not fill a batch."""
    if count < batch:
        raise app.UsageError(f"Fewer pairs than a batch of {batch} holds; give --batch. Received: {count}")
    while True:
        permutation = torch.randperm(count, generator=generator, device=DEVICE)
        yield from permutation[: count - count % batch].split(batch)


def augmented(pixels, size, preprocessing, generator):
    """A batch, changed at random: inputs of the network, `[B, size, size, 3]`, and masks in [0, 1], `[B, …, 1]`."""

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand((len(pixels), *shape), generator=generator, device=DEVICE)

    factor = uniform(*_SCALE)
    theta = torch.zeros((len(pixels), 2, 3), device=DEVICE)
    theta[:, 0, 0] = uniform(-1, 1).sign() / factor
    theta[:, 1, 1] = 1 / factor
    # A part of the picture, anywhere in it; or all of it, anywhere in a frame.
    theta[:, :, 2] = uniform(-1, 1, 2) * (1 - 1 / factor).abs()[:, None]
    # Several points a pixel where pictures shrink much, so that no detail is jumped over.
    points = max(1, round(pixels.shape[-1] / size))
    grid = functional.affine_grid(theta, (len(pixels), 4, points * size, points * size), align_corners=False)
    # The frame has the mean colour, and no object.
    frame = torch.tensor((*preprocessing.mean, 0.0), device=DEVICE)[:, None, None]
    x = functional.grid_sample(pixels / 255 - frame, grid, align_corners=False)
    pictures, masks = (functional.avg_pool2d(x, points) + frame).split((3, 1), 1)
    grey = torch.tensor(_GREY, device=DEVICE)[:, None, None]
    pictures = pictures + uniform(-_BRIGHTNESS, _BRIGHTNESS, 1, 1, 1)
    mean = (pictures * grey).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * uniform(1 - _CONTRAST, 1 + _CONTRAST, 1, 1, 1)
    own = (pictures * grey).sum(1, keepdim=True)
    pictures = own + (pictures - own) * uniform(1 - _SATURATION, 1 + _SATURATION, 1, 1, 1)
    return _network_input(pictures, preprocessing), masks.clamp(0, 1).permute(0, 2, 3, 1)


def unchanged(pixels, size, preprocessing):
    """A batch as it is, at the network's size; shapes as of `augmented`."""
    x = functional.interpolate(pixels / 255, (size, size), mode="bilinear", antialias=True)
    return _network_input(x[:, :3], preprocessing), x[:, 3:].clamp(0, 1).permute(0, 2, 3, 1)


def _network_input(pictures, preprocessing):
    pictures = pictures.clamp(0, 1)
    if preprocessing.divisor == "maximum":
        pictures = pictures / pictures.amax((1, 2, 3), keepdim=True).clamp(min=1 / 255)
    mean, deviation = (
        torch.tensor(values, device=DEVICE)[:, None, None]
        for values in (preprocessing.mean, preprocessing.standard_deviation)
    )
    return ((pictures - mean) / deviation).permute(0, 2, 3, 1).contiguous()


def loss(logits, masks):
    """BCE + IoU as `sodkeras.losses` has them, of `[B, H, W, 1]`."""
    saliency = torch.sigmoid(logits)
    differing = (saliency * (1 - masks) + masks * (1 - saliency)).sum((1, 2, 3))
    union = (saliency + masks * (1 - saliency)).sum((1, 2, 3))
    overlap = (differing / union.clamp(min=1e-7)).mean()
    return functional.binary_cross_entropy_with_logits(logits, masks) + overlap


@torch.no_grad()
def validate(model, pairs, size):
    """Loss, MAE and maxF of pairs."""
    evaluator, total = Evaluator(["mae", "f"]), 0.0
    for pixels in pairs.pixels.split(_VALIDATED):
        x, masks = unchanged(pixels, size, model.preprocessing)
        logits = _result(model(x, training=False)).float()
        total += loss(logits, masks).item() * len(pixels)
        for saliency, mask in zip(torch.sigmoid(logits).cpu().numpy(), masks.cpu().numpy(), strict=True):
            evaluator.update(saliency[..., 0], mask[..., 0])
    scores = evaluator.result()
    return total / len(pairs.stems), scores["mae"], scores["max_f"]


def _result(outputs):
    return next(iter(outputs.values()))


# States


def start():
    """The network to begin with."""
    if FLAGS.arguments:
        from sodkeras.training.network import build_model, load_weights
        from sodkeras.training.settings import Settings

        settings = Settings(model=FLAGS.network, arguments=json.loads(FLAGS.arguments))
        model = build_model(settings)
        load_weights(settings, model)
    else:
        model = load_keras(pathlib.Path(FLAGS.network))
    size = FLAGS.size or model.input_shape[1] or model.preprocessing.size[0]
    model.preprocessing = dataclasses.replace(model.preprocessing, size=(size, size))
    return model


def save(model, facts, path):
    """Writes weights.npz, whole or not at all."""
    weights = [weight.astype("float16" if weight.ndim > 1 else "float32") for weight in model.get_weights()]
    if not all(np.isfinite(weight).all() for weight in weights):
        raise FloatingPointError(f"A weight is no number of float16; the state before stays. Received: {path}")
    with whole_file(path) as temporary:
        np.savez_compressed(temporary, *weights, facts=json.dumps(facts))
        written = temporary.stat().st_size
        if written > LARGEST:
            raise ValueError(f"The weights may have {LARGEST:,} bytes; take a smaller network. Received: {written:,}")


def restore(model, path):
    """Fills a network with a state that `save` wrote; returns its facts."""
    with np.load(path) as state:
        facts = json.loads(str(state["facts"]))
        if facts["network"] != described(model):
            raise app.UsageError(f"There are weights of another network; choose another --out. Received: {path}")
        model.set_weights([state[f"arr_{index}"].astype("float32") for index in range(len(model.weights))])
    return facts


def described(model):
    """The network's class and configuration, as JSON has them."""
    return json.loads(json.dumps({"class": type(model).__name__, "config": model.get_config()}))


def made(training, kept, size, steps, seconds):
    """How it was trained, as package.py wants it told."""
    named = ("seconds", "size", "batch", "learning_rate", "bfloat16", "arguments")
    words = [f"--{name}={FLAGS[name].value}" for name in named if FLAGS[name].value]
    epochs = round(steps * FLAGS.batch / len(training.stems), 1)
    return {
        "commands": [f"python training/weights/gpu_train.py --network=… --parts=… --out=… {' '.join(words)}"],
        "pictures": {"training": len(training.stems), "validation": len(kept.stems)},
        "stages": {pathlib.Path(FLAGS.out).name: {"epochs": epochs, "size": size}},
        "minutes": round(seconds / 60, 1),
        "hardware": torch.cuda.get_device_name() if DEVICE == "cuda" else "a CPU",
        "versions": {"keras": keras.__version__, "torch": torch.__version__},
    }


# Training


def fuse_norms(model):
    """Makes a training step's batch norms one kernel each, where Keras has a dozen; with the same results."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            layer.call = functools.partial(_norm, layer, layer.call)


def _norm(layer, plain, x, training=None, mask=None):
    if not training:
        return plain(x, training=training)
    weights = (layer.gamma.value, layer.beta.value)
    y, mean, inverse = torch.native_batch_norm(x.permute(0, 3, 1, 2), *weights, None, None, True, 0.0, layer.epsilon)
    with torch.no_grad():  # of the biased variance, which is Keras's; PyTorch would take the other
        layer.moving_mean.value.lerp_(mean, 1 - layer.momentum)
        layer.moving_variance.value.lerp_(inverse**-2 - layer.epsilon, 1 - layer.momentum)
    return y.permute(0, 2, 3, 1)


def train(model, training, kept, steps, seconds, end):
    """Trains from a number of steps and seconds on, to a time of the clock at most; keeps states and the log."""
    out, size = pathlib.Path(FLAGS.out), model.preprocessing.size[0]
    for layer in model._flatten_layers():
        layer.autocast = not FLAGS.bfloat16  # Keras would cast back to float32 between any two layers
    fuse_norms(model)
    parameters = [variable.value for variable in model.trainable_variables]
    optimizer = torch.optim.Adam(parameters, eps=1e-7, fused=DEVICE == "cuda")
    generator = torch.Generator(DEVICE).manual_seed(steps)
    first, before, begin = steps, seconds, time.monotonic()
    saved, since = begin, steps
    total = torch.zeros((), device=DEVICE)

    def mean_and_speed():
        mean = total.item() / (steps - since)  # waits for the GPU
        if not np.isfinite(mean):
            raise FloatingPointError(f"The loss is no number; a state from before stays. Received: step {steps}")
        return mean, f"{(steps - since) * FLAGS.batch / (time.monotonic() - saved):.1f} pictures/s"

    def keep():
        mean, speed = mean_and_speed()
        values = dict(zip(_LOG, (seconds, steps, learning_rate, mean, *validate(model, kept, size)), strict=True))
        facts = {"network": described(model), "steps": steps, "seconds": seconds}
        save(model, facts | {"made": made(training, kept, size, steps, seconds)}, out / "weights.npz")
        is_new = not (out / "log.csv").exists()
        with (out / "log.csv").open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _LOG, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" for name, value in values.items()})
        print(", ".join(f"{name} {value:.4g}" for name, value in values.items()), f"({speed})", flush=True)

    for chosen in order(len(training.stems), FLAGS.batch, generator):
        seconds = before + time.monotonic() - begin
        if seconds >= FLAGS.seconds or time.monotonic() >= end or steps - first == FLAGS.steps:
            break
        learning_rate = FLAGS.learning_rate * 0.5 * (1 + np.cos(np.pi * seconds / FLAGS.seconds))
        learning_rate *= min(1.0, (seconds - before) / max(FLAGS.warm_up, 1e-9))
        optimizer.param_groups[0]["lr"] = learning_rate
        x, masks = augmented(training.pixels[chosen], size, model.preprocessing, generator)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=FLAGS.bfloat16):
            outputs = model(x, training=True)
        value = sum(loss(logits.float(), masks) for logits in outputs.values())
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        total += value.detach()
        steps += 1
        if steps - first == 100:
            print("100 steps: loss {:.4g}, {}".format(*mean_and_speed()), flush=True)
        if time.monotonic() - saved > FLAGS.save_every:
            keep()
            saved, since = time.monotonic(), steps
            total.zero_()
    if steps > since:
        keep()


@torch.no_grad()
def write_check(model, kept, path):
    """Four of the kept pictures as the network gets them, and the logits of the saved weights, all in float32."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    x, _ = unchanged(kept.pixels[:4], model.preprocessing.size[0], model.preprocessing)
    logits = _result(model(x, training=False))
    with whole_file(path) as temporary:
        np.savez_compressed(temporary, x=x.cpu().numpy(), logits=logits.float().cpu().numpy())


def main(_):
    out, end = pathlib.Path(FLAGS.out), time.monotonic() + (FLAGS.stop_after or np.inf)
    out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    print(torch.cuda.get_device_name() if DEVICE == "cuda" else "no GPU", flush=True)
    model, facts = start(), {"steps": 0, "seconds": 0.0}
    if (out / "weights.npz").exists():
        facts = restore(model, out / "weights.npz")
        print(f"goes on from step {facts['steps']}, second {facts['seconds']:.0f}; Adam begins anew", flush=True)
    training, kept = read_parts(FLAGS.parts)
    train(model, training, kept, facts["steps"], facts["seconds"], end)
    restore(model, out / "weights.npz")
    with whole_file(out / "last.keras") as temporary:
        model.save(temporary)
    write_check(model, kept, out / "check.npz")


if __name__ == "__main__":
    app.run(main)
