"""The released networks for phones: one partition, and maps that stay what they were."""

import numpy as np
import pytest

from sodkeras import weights
from sodkeras.checkpoints import csnet
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.check.agreement import TOLERANCES, compare
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.convert import convert


def csnet_l(width):
    def load(reference):
        return csnet.from_state_dict(dict(np.load(reference / f"reference/weights/csnet_L_x{width}_state.npz")))

    return load


def u2netp(reference):
    return weights.load_model("u2netp")


@pytest.mark.train
@pytest.mark.reference
@pytest.mark.parametrize(
    ("source", "numerics", "every", "median_iou"),
    [
        (csnet_l(1), ["float32", "int8"], 50, 0.97),
        (csnet_l(2), ["float32"], 50, None),
        (u2netp, ["float32", "int8"], 300, 0.97),  # it is slow, and less hard to calibrate
    ],
    ids=["csnet_l_x1", "csnet_l_x2", "u2netp"],
)
def test_released_networks_are_one_partition_and_agree_with_keras(
    source, numerics, every, median_iou, reference, tmp_path
):
    model = source(reference)
    # Every picture is either calibrated with or compared on.
    found = find_pictures([reference / "data/msra_1000_images"])
    calibration, pictures = found[::every], [(path.name, read_picture(path)) for path in found[7::100]]
    for path in convert(model, tmp_path, numerics, calibration):
        runtime = LiteRTRuntime(path)
        partitions = count_partitions(runtime.interpreter)
        assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
        agreement = compare(KerasRuntime(model), runtime, pictures)
        if runtime.numerics == "float32":
            assert agreement.violations(TOLERANCES["float32"]) == [], agreement.summary()
        else:
            assert agreement.summary()["median_iou"] > median_iou, agreement.summary()
