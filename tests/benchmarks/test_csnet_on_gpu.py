"""The training step that own_weights_gpu.py takes is that of the Keras network."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
NETWORK = """
import keras, torch
import csnet_on_gpu as gpu
from sodkeras.losses import IntersectionOverUnionFromLogits, WeightedSum
from sodkeras.models import CSNet

keras.utils.set_random_seed(0)
fusion = {"stages": [3, 4], "mixed": [4, 3], "dilation_rates": [1, 2], "dilated": [[2, 2], [0, 3]], "filters": 4}
model = CSNet(plan={"stages": [[[4, 3]], [[4, 3]], [[4, 3]], [[4, 2], [5]], [[3, 3], [5]]], "fusion": fusion})
learned = [variable.value for variable in model.trainable_variables]
statistics = [variable.value for variable in model.non_trainable_variables]
x, masks, weights = torch.randn(3, 64, 64, 3), torch.rand(3, 64, 64, 1), torch.tensor([1.0, 0.5, 0.0])
losses = WeightedSum([keras.losses.BinaryCrossentropy(from_logits=True), IntersectionOverUnionFromLogits()])


def step(forward, loss):
    with torch.no_grad():
        for value in statistics:
            value.fill_(0.5)
    logits = forward()
    gradients = torch.autograd.grad(loss(logits), learned)
    return [logits.detach(), *gradients, *(value.clone() for value in statistics)]


expected = step(lambda: model(x, training=True)["saliency_logits"], lambda logits: losses(masks, logits, weights))
actual = step(lambda: gpu.forward(model, x), lambda logits: gpu.loss(logits, masks, weights))
assert expected[0].std() > 1e-3, expected[0].std()
largest = max(gradient.abs().max() for gradient in expected[1:])
for one, other in zip(expected, actual, strict=True):
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(largest))
with torch.no_grad():
    actual, expected = gpu.forward(model, x, False), model(x, training=False)["saliency_logits"]
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
"""
KERNELS = """
import types, torch
import csnet_on_gpu as gpu
from torch.nn import functional

torch.manual_seed(0)
x = torch.randn(2, 5, 12, 100, requires_grad=True)  # more pixels than any block has


def same(ours, theirs, *inputs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    weights = torch.randn_like(ours)
    pairs = zip(*(torch.autograd.grad((y * weights).sum(), inputs) for y in (ours, theirs)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


kernel = torch.randn(5, 1, 3, 3, requires_grad=True)
same(gpu._Depthwise.apply(x, kernel), functional.conv2d(x, kernel, padding=1, groups=5), x, kernel)
for side, dilation in ((1, 1), (3, 2)):
    kernel = torch.randn(7, 5, side, side, requires_grad=True)
    theirs = functional.conv2d(x, kernel, padding=dilation * (side // 2), dilation=dilation)
    same(gpu._Convolution.apply(x, kernel, dilation), theirs, x, kernel)
gamma, beta, slopes = (torch.rand(5, requires_grad=True) for _ in range(3))
mean, variance = torch.randn(5), torch.rand(5)
moved = mean.clone(), variance.clone()
norm = types.SimpleNamespace(momentum=0.9, epsilon=1e-5)
fixed = mean.clone(), variance.clone()
ours = gpu._NormAndPReLU.apply(x, gamma, beta, slopes, *fixed, norm, False)
same(ours, functional.prelu(functional.batch_norm(x, mean, variance, gamma, beta), slopes), x, gamma, beta, slopes)
torch.testing.assert_close(fixed, (mean, variance), rtol=0, atol=0)
ours = gpu._NormAndPReLU.apply(x, gamma, beta, slopes, mean, variance, norm, True)
theirs = functional.prelu(functional.batch_norm(x, None, None, gamma, beta, True), slopes)
same(ours, theirs, x, gamma, beta, slopes)
torch.testing.assert_close(mean, 0.9 * moved[0] + 0.1 * x.detach().mean((0, 2, 3)))
torch.testing.assert_close(variance, 0.9 * moved[1] + 0.1 * x.detach().var((0, 2, 3), correction=0))
same(gpu._Halve.apply(x), functional.avg_pool2d(x, 2), x)
"""


def failure(script, **environment):
    """What a script of assertions ends with, in a process under another backend; nothing if all hold."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT / "benchmarks")} | environment,
        capture_output=True,
        text=True,
    )
    return done.stderr[-3000:] or "failed" if done.returncode else ""


def test_loss_gradients_and_statistics_are_those_of_keras():
    pytest.importorskip("torch")
    assert not failure(NETWORK, CUDA_VISIBLE_DEVICES="")


def test_kernels_compute_what_pytorch_does():
    """In Triton's interpreter, which needs no GPU."""
    pytest.importorskip("triton")
    assert not failure(KERNELS, TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")
