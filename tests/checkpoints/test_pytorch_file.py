"""A PyTorch file of anyone's is plain arrays, or one sentence; and it takes no more memory than a network does."""

import collections
import os
import random
import zipfile

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.checkpoints import imagenet, import_file
from sodkeras.checkpoints.pytorch_file import read_state_dict

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.pth"


def refused(path, message, read=read_state_dict):
    with pytest.raises(SodkerasError, match=message) as caught:
        read(path)
    text = str(caught.value)
    assert "Received: " in text and "\n" not in text
    assert not any(word in text for word in ("weights_only", "safe_globals", "Weights only"))


def test_tensors_of_all_real_types_are_read(path):
    values = [[1.5, -2.0], [0.25, 3.0]]
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.int64, torch.uint8]
    tensors = {str(kind): torch.tensor(values).abs().to(kind) for kind in kinds}
    tensors["parameter"] = torch.nn.Parameter(torch.tensor(values))
    tensors["module.transposed"] = torch.tensor(values).T
    tensors["flag"] = torch.tensor([True])
    torch.save(tensors, path)
    arrays = read_state_dict(path)
    for kind in kinds[:5]:
        np.testing.assert_array_equal(arrays[str(kind)], np.abs(values))
    assert arrays["torch.bfloat16"].dtype == arrays["torch.float8_e5m2"].dtype == np.float32
    assert arrays["torch.float16"].dtype == np.float16 and arrays["torch.int64"].dtype == np.int64
    np.testing.assert_array_equal(arrays["parameter"], values)
    np.testing.assert_array_equal(arrays["transposed"], np.transpose(values))
    assert arrays["flag"].tolist() == [True]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64),
    ],
)
def test_a_tensor_of_another_kind_is_named(path, tensor):
    torch.save({"good": torch.eye(3), "other": tensor}, path)
    refused(path, "The tensor other is no plain one")


class Harmful:
    def __reduce__(self):
        return os.system, ("exit 3",)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"a": Harmful()}, "no PyTorch checkpoint of plain tensors"),
        (torch.nn.Linear(2, 2), "no PyTorch checkpoint of plain tensors"),
        (collections.OrderedDict(), "holds no state dict"),
        ([torch.eye(2)], "holds no state dict"),
        ({"state_dict": 3}, "holds no state dict"),
        ({1: torch.eye(2), (2, 3): torch.eye(2)}, "holds no state dict"),
        (None, "holds no state dict"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_is_no_state_dict_is_one_sentence_without_pytorchs_advice(path, stored, message, zipped):
    torch.save(stored, path, _use_new_zipfile_serialization=zipped)
    refused(path, message)


def test_a_file_that_cannot_be_read_is_one_sentence(path):
    refused(path, "no such file")
    os.mkfifo(path)
    refused(path, "a pipe or a device")
    refused(path.parent, "Is a directory")


def test_a_zip_bomb_is_not_unpacked(path, monkeypatch):
    torch.save({"a": torch.zeros(65_000_000)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpacked"))
    refused(path, "would unpack to 260 MB")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_number_that_is_a_tensor_of_any_shape_is_not_copied(path, zipped):
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, path, _use_new_zipfile_serialization=zipped)
    refused(path, "would unpack to 4000000 MB")


def csnet_arrays(**changes):
    """Names as those of a released CSNet: enough to know it by, and channels by its batch norms alone."""
    names = {f"stage{stage}.0.conv1x1.bns.0.weight": torch.ones(8) for stage in range(5)}
    return {"stage0.0.conv1x1.conv.weight": torch.zeros(8, 3, 3, 3)} | names | changes


@pytest.mark.parametrize(
    "arrays",
    [
        csnet_arrays(),
        {f"stage{stage}.0.conv1x1.bns.0.weight": torch.ones(200_000) for stage in range(5)},
        {"stage0.0.conv1x1.bns.0.weight": torch.tensor(1.0)},
        {"stage0.0.conv1x1.bns.0.weight": torch.ones(0)},
        {f"stage0.0.conv1x1.bns.{scale}.weight": torch.ones(3) for scale in range(8)},
        {"stage1.rebnconvin.conv_s1.weight": torch.ones(2)},
        {
            "stage1.rebnconvin.conv_s1.weight": torch.ones(2),
            "stage1.rebnconv1.conv_s1.weight": torch.tensor(1.0),
        },
        {
            "stage1.rebnconvin.conv_s1.weight": torch.ones(2),
            "stage1.rebnconv1.conv_s1.weight": torch.ones(16, 3, 3, 3),
        },
        {"base.resnet.conv1.weight": torch.ones(1)},
        {"base.conv1.0.weight": torch.tensor(1)},
    ],
)
def test_arrays_that_make_no_network_are_one_sentence(path, arrays):
    first = next(iter(arrays))
    torch.save(csnet_arrays(**arrays) if "conv1x1" in first else arrays, path)
    refused(path, "Received: ", import_file)


def test_damaged_bytes_are_one_sentence(path):
    tensors = {f"layer{number}.weight": torch.ones(3, number + 1) for number in range(4)}
    for zipped in (True, False):
        torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
        content = path.read_bytes()
        rng = random.Random(0)
        for _ in range(150):
            damaged = bytearray(content)
            start = rng.randrange(len(content))
            damaged[start : start + rng.choice([1, 4])] = rng.randbytes(rng.choice([0, 1, 4]))
            path.write_bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)
            try:
                arrays = read_state_dict(path)
            except SodkerasError as error:
                assert "Received: " in str(error)
                continue
            assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_backbones_file_that_is_none_is_one_sentence(path):
    from sodkeras.backbones import ResNet

    path.write_bytes(b"this is no network")
    refused(path, "no PyTorch checkpoint", lambda path: imagenet.load(ResNet(18, width=4), path))
