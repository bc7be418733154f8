"""What DNL's depthwise non-local modules cost: multiply-adds, time on one thread, memory, by number of parts.

    python tflite/benchmarks/dnl_cost.py
    python tflite/benchmarks/dnl_cost.py --rows=baseline,split1,split9

The rows are those of the paper's ablation (Li et al., IEEE Trans. Cybernetics 2020): splits 1, 3, 5, 9 behind IR-3 and
IR-4 on features of 45×45, and IR6 with splits 1, 5, 10, behind IR-6 on features of 40×40, which 10 divides. Networks
have random weights and run as float `.tflite` through LiteRT. The modules' own time is that of a network of nothing but
the row's modules on features of their size. A row takes about a minute, and is added to dnl_cost.csv beside this file.
"""

import concurrent.futures
import csv
import multiprocessing
import pathlib
import tempfile

import numpy as np
from absl import app, flags

from sodkeras.tflite.convert import convert

# The timed process imports this file again and its memory is measured: what needs TensorFlow is imported where used.
from sodkeras.tflite.timing.benchmark import benchmark

#: Input size, positions and parts of each row.
ROWS = {
    "baseline": (360, (), 1),
    "split1": (360, (3, 4), 1),
    "split3": (360, (3, 4), 3),
    "split5": (360, (3, 4), 5),
    "split9": (360, (3, 4), 9),
    "ir6-baseline": (320, (), 1),
    "ir6-split1": (320, (6,), 1),
    "ir6-split5": (320, (6,), 5),
    "ir6-split10": (320, (6,), 10),
}
_ROWS = flags.DEFINE_list("rows", list(ROWS), f"Which of {', '.join(ROWS)}.")
_RUNS = flags.DEFINE_integer("runs", 20, "Timed repetitions.", lower_bound=1)
_CSV = pathlib.Path(__file__).with_suffix(".csv")


def main(argv):
    del argv
    for name in _ROWS.value:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(name, *ROWS[name], folder)
        print("  ".join(f"{key}={value}" for key, value in row.items()))
        is_new = not _CSV.exists()
        with _CSV.open("a", newline="") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)


def measure(name, size, positions, parts, folder):
    # The networks are made in a process of their own: the timed one would inherit the peak memory of this one.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        row, paths = executor.submit(make, name, size, positions, parts, folder).result()
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    whole, *alone = (benchmark(path, [picture], threads=1, runs=_RUNS.value) for path in paths)
    return row | {
        "network_ms": whole["inference_median_ms"],
        "modules_ms": alone[0]["inference_median_ms"] if alone else 0,
        "network_peak_memory_mb": whole["peak_memory_mb"],
        "operators": whole["operators"],
        "delegated": whole["delegated"],
        "partitions": whole["partitions"],
        "megabytes": whole["megabytes"],
        "threads": 1,
        "runs": _RUNS.value,
        "cpu": whole["cpu"],
        "system": whole["system"],
    }


def make(name, size, positions, parts, folder):
    """Writes the row's network and its modules alone, and returns what can be counted with their paths."""
    import keras

    from sodkeras.complexity import complexity
    from sodkeras.models import DNL

    keras.utils.set_random_seed(0)
    model = DNL(positions, parts, input_shape=(size, size, 3), name=name.replace("-", "_"))
    modules = non_local_layers(model)
    for layer in modules:
        # Away from the zeros that it starts with, which a converter might see through.
        layer.output_kernel.assign(np.random.default_rng(0).normal(0, 0.1, layer.output_kernel.shape))
    cost = complexity(model)
    in_modules = sum(layer.multiply_adds() for layer in modules)
    row = {
        "row": name,
        "size": f"{size}x{size}",
        "parts": parts,
        "parameters": cost.parameters,
        "network_giga_multiply_adds": round(cost.multiply_adds / 1e9, 3),
        "modules_giga_multiply_adds": round(in_modules / 1e9, 3),
    }
    networks = [model, modules_alone(model, modules)] if modules else [model]
    return row, [convert(network, folder)[0] for network in networks]


def non_local_layers(model):
    from sodkeras.layers import DepthwiseNonLocal

    return [layer for layer in model.layers if isinstance(layer, DepthwiseNonLocal)]


def modules_alone(model, modules):
    """A network of the same modules on features of their size, joined by 1×1 convolutions, which cost next to nothing.

    A `.tflite` file of this project takes a picture and gives a map, so it begins with 3 channels and ends with one.
    """
    import keras

    from sodkeras.models import InferenceModel

    height, width = modules[0].input.shape[1:3]
    x = picture = keras.Input((height, width, 3))
    for layer in modules:
        channels = layer.input.shape[-1]
        if x.shape[-1] != channels:
            x = keras.layers.Conv2D(channels, 1)(x)
        copy = type(layer).from_config(layer.get_config())
        x = copy(x)
        copy.set_weights(layer.get_weights())
    x = keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    return InferenceModel(picture, x, name=f"{model.name}_modules", preprocessing={"size": (height, width)})


if __name__ == "__main__":
    app.run(main)
