"""What says that it is as PyTorch or torchvision has it, against PyTorch: padding, pooling, resizing, whole backbones.

The networks on PyTorch's side are written here from the papers, with torchvision's names of modules.
"""

import numpy as np
import pytest

from sodkeras.backbones import MobileNetV2, ResNet
from sodkeras.backbones.mobilenet_v2 import STAGES
from sodkeras.checkpoints import imagenet
from sodkeras.layers import ConvNorm, ResizeLike

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

RNG = np.random.default_rng(0)


def to_torch(x):
    return torch.from_numpy(np.ascontiguousarray(np.array(x).transpose(0, 3, 1, 2)))


def from_torch(x):
    return x.detach().numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
@pytest.mark.parametrize(
    ("kernel_size", "strides", "dilation_rate"), [(1, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 4), (7, 2, 1)]
)
@pytest.mark.parametrize("filters", [5, None])
def test_symmetric_padding_is_pytorchs(size, kernel_size, strides, dilation_rate, filters):
    x = RNG.normal(size=(2, *size, 4)).astype("float32")
    unit = ConvNorm(filters, kernel_size, strides, dilation_rate, activation=None)
    found = np.array(unit(x)) * np.sqrt(1 + unit.norm.epsilon)
    kernel = np.array(unit.conv.kernel).transpose((2, 3, 0, 1) if filters is None else (3, 2, 0, 1))
    expected = nn.functional.conv2d(
        to_torch(x),
        torch.from_numpy(np.ascontiguousarray(kernel)),
        stride=strides,
        padding=dilation_rate * (kernel_size // 2),
        dilation=dilation_rate,
        groups=4 if filters is None else 1,
    )
    np.testing.assert_allclose(found, from_torch(expected), atol=2e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("before", "after"), [((5, 7), (11, 20)), ((11, 20), (5, 7)), ((1, 3), (4, 1))])
def test_bilinear_resizing_is_pytorchs(align_corners, before, after):
    x = RNG.normal(size=(2, *before, 3)).astype("float32")
    found = ResizeLike(align_corners)(x, np.zeros((2, *after, 1), np.float32))
    expected = nn.functional.interpolate(to_torch(x), after, mode="bilinear", align_corners=align_corners)
    np.testing.assert_allclose(np.array(found), from_torch(expected), atol=1e-5)


def randomised(module):
    """The module in inference, its batch norms anything but the identity."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values, low, high in (
                (part.weight.data, 0.5, 1.5),
                (part.bias.data, -0.5, 0.5),
                (part.running_mean, -0.5, 0.5),
                (part.running_var, 0.5, 2),
            ):
                values.uniform_(low, high)
    return module.eval()


def unit(inputs, filters, kernel_size, stride=1, dilation=1, groups=1, activation=True):
    padding = dilation * (kernel_size // 2)
    conv = nn.Conv2d(inputs, filters, kernel_size, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), *[nn.ReLU6()] * activation)


class InvertedResidual(nn.Module):
    def __init__(self, inputs, filters, expansion, stride):
        super().__init__()
        hidden = inputs * expansion
        last = unit(hidden, filters, 1, activation=False)
        first = [unit(inputs, hidden, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(*first, unit(hidden, hidden, 3, stride, groups=hidden), *last)
        self.adds = stride == 1 and inputs == filters

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class Bottleneck(nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1, self.bn1 = unit(inputs, filters, 1, activation=False)
        self.conv2, self.bn2 = unit(filters, filters, 3, stride, activation=False)  # version 1.5: the stride is here
        self.conv3, self.bn3 = unit(filters, 4 * filters, 1, activation=False)
        changes = stride > 1 or inputs != 4 * filters
        self.downsample = unit(inputs, 4 * filters, 1, stride, activation=False) if changes else None

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class TorchResNet50(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = unit(3, width, 7, 2, activation=False)
        inputs = width
        for number, blocks in enumerate((3, 4, 6, 3), start=1):
            layers = []
            for index in range(blocks):
                filters = width * 2 ** (number - 1)
                layers.append(Bottleneck(inputs, filters, 2 if number > 1 and index == 0 else 1))
                inputs = 4 * filters
            setattr(self, f"layer{number}", nn.Sequential(*layers))

    def forward(self, x):
        taps = {"stem": torch.relu(self.bn1(self.conv1(x)))}
        x = nn.functional.max_pool2d(taps["stem"], 3, 2, 1)
        for number in range(1, 5):
            x = taps[f"layer{number}"] = getattr(self, f"layer{number}")(x)
        return taps


def torch_mobilenet_v2():
    layers, inputs, ends = [unit(3, 32, 3, 2)], 32, {}
    for number, (expansion, filters, blocks, stride) in enumerate(STAGES, start=1):
        for index in range(blocks):
            layers.append(InvertedResidual(inputs, filters, expansion, stride if index == 0 else 1))
            inputs = filters
        ends[len(layers)] = f"ir{number}"
    return nn.ModuleDict({"features": nn.Sequential(*layers)}), ends


@pytest.mark.parametrize("size", [(64, 96), (75, 53)])
def test_mobilenet_v2_is_torchvisions(size):
    torch.manual_seed(0)
    peer, ends = torch_mobilenet_v2()
    randomised(peer)
    backbone = MobileNetV2()
    imagenet.load(backbone, {name: value.numpy() for name, value in peer.state_dict().items()})
    x = RNG.normal(size=(1, *size, 3)).astype("float32")
    found, y = backbone(x), to_torch(x)
    for count, layer in enumerate(peer["features"], start=1):
        y = layer(y)
        if count in ends:
            scale = float(y.detach().abs().max())
            np.testing.assert_allclose(np.array(found[ends[count]]), from_torch(y), atol=1e-4 * scale)


@pytest.mark.parametrize("size", [(64, 96), (75, 53)])
def test_resnet_is_torchvisions(size):
    torch.manual_seed(0)
    peer, backbone = randomised(TorchResNet50(8)), ResNet(50, width=8)
    imagenet.load(backbone, {name: value.numpy() for name, value in peer.state_dict().items()})
    x = RNG.normal(size=(1, *size, 3)).astype("float32")
    found = backbone(x)
    for name, expected in peer(to_torch(x)).items():
        scale = float(expected.detach().abs().max())
        np.testing.assert_allclose(np.array(found[name]), from_torch(expected), atol=1e-4 * scale, err_msg=name)
