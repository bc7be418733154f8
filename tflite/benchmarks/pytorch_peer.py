"""A network as a float .tflite file against the same network in PyTorch, one thread, in one run.

usage: python tflite/benchmarks/pytorch_peer.py --model=FILE.keras [--tflite=FILE.tflite] [--rounds=30]
           [--csv=tflite/benchmarks/pytorch_peer.csv]

CSNet-L ×1 comes from `sodkeras weights import csnet-L-x1.pth.tar`. PyTorch runs the network's plain layers as they were
trained, one call each, as the released code does: batch norms are batch norms. What stands between the two is therefore
what `sodkeras convert` and LiteRT do together. Both must give the same map first (1e-4). They take turns, so that a
change of the machine's speed meets both; what counts is the ratio of the medians. The processor's time is there as
well as the clock's: on a machine that does other work, only the first is the network's own. Needs the extra `torch`.
"""

import csv
import pathlib
import tempfile
import time

import numpy as np
from absl import app, flags

from sodkeras.errors import SodkerasError
from sodkeras.keras_file import load_keras
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.convert import convert
from sodkeras.tflite.timing.benchmark import cpu_model, system

HERE = pathlib.Path(__file__).parent
FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "The network, a .keras file.", required=True)
flags.DEFINE_string("tflite", None, "What sodkeras convert made of it in float32; default: it is converted now.")
flags.DEFINE_integer("rounds", 30, "Measured rounds.", lower_bound=3)
flags.DEFINE_string("csv", str(HERE / "pytorch_peer.csv"), "The table to write.")
#: How far the two maps may be apart.
TOLERANCE = 1e-4


def in_pytorch(model, size):
    """A Keras model as a PyTorch function of `[1, 3, H, W]`, with its weights, made by walking its flat graph.

    Raises:
        SodkerasError: for a layer or setting that no network here has had yet.
    """
    from sodkeras.graph import Graph, flatten

    flat = flatten(model, (*size, 3))
    steps = [(_layer(call.layer), list(map(id, call.inputs)), id(call.output)) for call in Graph(flat)]
    first, last = id(flat.inputs[0]), id(flat.outputs[0])

    def run(picture):
        values = {first: picture}
        for function, inputs, output in steps:
            values[output] = function(*(values[key] for key in inputs))
        return values[last]

    return run


def _layer(layer):
    """One plain Keras layer as a PyTorch function of channels-first tensors."""
    import torch
    from torch.nn import functional

    def tensor(values):
        return torch.from_numpy(np.ascontiguousarray(np.asarray(values, np.float32)))

    kind = next((name for name in (cls.__name__ for cls in type(layer).__mro__) if name in _KNOWN), None)
    config = layer.get_config()
    if kind is None or config.get("strides", (1, 1)) not in ((1, 1), config.get("pool_size")):
        raise SodkerasError(f"pytorch_peer.py lacks this layer. Received: {type(layer).__name__} {config}")
    if kind in ("Conv2D", "DepthwiseConv2D"):
        depthwise = kind == "DepthwiseConv2D"
        # The released code multiplies by this factor in every run; here PyTorch is spared that.
        weights = np.asarray(layer.kernel) * config.get("kernel_scale", 1)
        weights = tensor(weights.transpose(2, 3, 0, 1) if depthwise else weights.transpose(3, 2, 0, 1))
        bias = tensor(layer.bias) if layer.use_bias else None
        dilation = layer.dilation_rate
        padding = [rate * (kernel - 1) // 2 for rate, kernel in zip(dilation, layer.kernel_size, strict=True)]
        if config["activation"] != "linear" or (layer.padding != "same" and any(padding)):
            raise SodkerasError(
                f"pytorch_peer.py takes convolutions that pad and have no activation. Received: {layer.name}"
            )
        groups = weights.shape[0] if depthwise else config["groups"]
        return lambda x: functional.conv2d(x, weights, bias, padding=padding, dilation=dilation, groups=groups)
    if kind == "BatchNormalization":
        statistics = [tensor(values) for values in (layer.moving_mean, layer.moving_variance, layer.gamma, layer.beta)]
        return lambda x: functional.batch_norm(x, *statistics, eps=layer.epsilon)
    if kind == "PReLU":
        slopes = tensor(layer.alpha).flatten()
        return lambda x: functional.prelu(x, slopes)
    if kind in ("MaxPooling2D", "AveragePooling2D"):
        pool = functional.max_pool2d if kind == "MaxPooling2D" else functional.avg_pool2d
        return lambda x: pool(x, layer.pool_size)
    if kind == "UpSampling2D":
        return lambda x: functional.interpolate(x, scale_factor=layer.size, mode=layer.interpolation)
    if kind == "Concatenate":
        return lambda *tensors: torch.cat(tensors, 1)
    if kind == "Add":
        return lambda *tensors: sum(tensors[1:], tensors[0])
    activation = {"linear": lambda x: x, "relu": torch.relu, "sigmoid": torch.sigmoid}[config["activation"]]
    return lambda x: activation(x)


_KNOWN = (
    "Conv2D",
    "DepthwiseConv2D",
    "BatchNormalization",
    "PReLU",
    "MaxPooling2D",
    "AveragePooling2D",
    "UpSampling2D",
    "Concatenate",
    "Add",
    "Activation",
)


def main(_):
    import torch

    torch.set_num_threads(1)
    path = pathlib.Path(FLAGS.model)
    model = load_keras(path).inference_model()
    peer = in_pytorch(model, model.preprocessing.size)
    with tempfile.TemporaryDirectory() as folder:
        runtime = LiteRTRuntime(FLAGS.tflite or convert(str(path), folder, ["float32"])[0], threads=1)
    batch = np.random.default_rng(0).normal(size=(1, *model.preprocessing.size, 3)).astype("float32")
    planes = torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
    contenders = {
        "PyTorch": lambda: peer(planes)[0, 0].numpy(),
        "PyTorch, channels last": lambda: peer(planes.to(memory_format=torch.channels_last))[0, 0].numpy(),
        "LiteRT float32": lambda: runtime(batch)[0],
    }
    times = {label: [] for label in contenders}
    with torch.inference_mode():
        difference = max(np.abs(run() - runtime(batch)[0]).max() for run in contenders.values())
        if not difference <= TOLERANCE:
            raise SodkerasError(
                f"PyTorch and LiteRT do not compute the same. Received: a difference of {difference:.2g}"
            )
        for turn in range(FLAGS.rounds + 3):
            for label, run in contenders.items():
                clock, processor = time.perf_counter(), time.process_time()
                run()
                if turn >= 3:
                    times[label].append((1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - processor)))
    mine = np.median(times["LiteRT float32"], axis=0)
    rows = []
    for label, values in times.items():
        medians = np.median(values, axis=0)
        rows.append(
            {
                "network": path.stem,
                "runtime": label,
                "median_ms": round(float(medians[0]), 1),
                "processor_median_ms": round(float(medians[1]), 1),
                "ratio_to_litert": round(float(medians[0] / mine[0]), 2),
                "processor_ratio_to_litert": round(float(medians[1] / mine[1]), 2),
                "largest_difference": f"{difference:.2g}",
                "delegation": count_partitions(runtime.interpreter) if label.startswith("LiteRT") else "",
                "rounds": FLAGS.rounds,
                "threads": 1,
                "cpu": cpu_model(),
                "versions": f"torch {torch.__version__}, {system()}",
            }
        )
        print({name: rows[-1][name] for name in list(rows[-1])[1:6]})
    with open(FLAGS.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    app.run(main)
