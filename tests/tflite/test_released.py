"""The released networks for phones: one partition, and maps that stay what they were."""

import numpy as np
import pytest

from sodkeras import weights
from sodkeras.checkpoints import csnet
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.convert import convert
from sodkeras.tflite.partitions import count_partitions
from sodkeras.tflite.verify import TOLERANCES, compare


def csnet_l(reference):
    return csnet.from_state_dict(dict(np.load(reference / "reference/weights/csnet_L_x1_state.npz")))


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(
    ("source", "median_iou"), [(csnet_l, 0.95), (lambda reference: weights.load_model("u2netp"), 0.97)]
)
def test_released_networks_are_one_partition_and_agree_with_keras(source, median_iou, reference, tmp_path):
    model = source(reference)
    # Every picture is either calibrated with or compared on.
    found = find_pictures([reference / "data/msra_1000_images"])
    calibration, pictures = found[::50], [(path.name, read_picture(path)) for path in found[7::100]]
    for path in convert(model, tmp_path, ["float32", "int8"], calibration):
        runtime = LiteRTRuntime(path)
        partitions = count_partitions(runtime.interpreter)
        assert (partitions.partitions, partitions.outside) == (1, {}), str(partitions)
        agreement = compare(KerasRuntime(model), runtime, pictures)
        if runtime.numerics == "float32":
            assert agreement.violations(TOLERANCES["float32"]) == [], agreement.summary()
        else:
            assert agreement.summary()["median_iou"] > median_iou, agreement.summary()
