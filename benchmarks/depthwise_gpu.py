"""3×3 depthwise convolution of channels-last tensors on a GPU, forward and backward, with Triton.

Two thirds of CSNet's feature maps come from such convolutions of few channels. Whether this is faster than what PyTorch
takes depends on the network: own_weights_gpu.py tries both.
"""

import torch
import triton
import triton.language as tl

#: Of a program's tile: more values than these would not fit into a processor's registers.
_PIXELS, _CHANNELS = 64, 32
#: Programs that share the sum over all pixels.
_PARTS = 512


@triton.jit(do_not_specialize=["height", "width", "pixels", "channels"])
def _filter(x, kernel, y, height, width, pixels, channels, flip: tl.constexpr, P: tl.constexpr, C: tl.constexpr):
    """y = x filtered; `flip` turns the kernel by 180°, which makes it the gradient's way back."""
    place = tl.program_id(0).to(tl.int64) * P + tl.arange(0, P)
    row, column = (place // width) % height, place % width
    c = tl.program_id(1) * C + tl.arange(0, C)
    total = tl.zeros((P, C), tl.float32)
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            inside = (place < pixels) & (row + i >= 1) & (row + i <= height) & (column + j >= 1) & (column + j <= width)
            near = place + (i - 1) * width + (j - 1)
            mask = inside[:, None] & (c < channels)[None, :]
            values = tl.load(x + near[:, None] * channels + c[None, :], mask=mask, other=0.0).to(tl.float32)
            tap = 8 - (i * 3 + j) if flip else i * 3 + j
            total += values * tl.load(kernel + tap * channels + c, mask=c < channels, other=0.0)[None, :]
    mask = (place < pixels)[:, None] & (c < channels)[None, :]
    tl.store(y + place[:, None] * channels + c[None, :], total.to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["height", "width", "pixels", "channels", "tiles"])
def _kernel_gradient(x, gradient, partial, height, width, pixels, channels, tiles, P: tl.constexpr, C: tl.constexpr):
    """Each program's share of Σ gradient · x, `[programs, 9, channels]`; the tap is the second program axis."""
    tap = tl.program_id(1)
    i, j = tap // 3, tap % 3
    c = tl.program_id(2) * C + tl.arange(0, C)
    total = tl.zeros((P, C), tl.float32)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        place = tl.arange(0, P).to(tl.int64) + tile * P
        row, column = (place // width) % height, place % width
        inside = (place < pixels) & (row + i >= 1) & (row + i <= height) & (column + j >= 1) & (column + j <= width)
        near = place + (i - 1) * width + (j - 1)
        mask = inside[:, None] & (c < channels)[None, :]
        values = tl.load(x + near[:, None] * channels + c[None, :], mask=mask, other=0.0).to(tl.float32)
        slopes = tl.load(gradient + place[:, None] * channels + c[None, :], mask=mask, other=0.0).to(tl.float32)
        total += values * slopes
    target = partial + (tl.program_id(0) * 9 + tap) * channels + c
    tl.store(target, tl.sum(total, 0), mask=c < channels)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context, x, kernel):
        x, kernel = x.contiguous(), kernel.contiguous()
        context.save_for_backward(x, kernel)
        return _run(x, kernel, False)

    @staticmethod
    def backward(context, gradient):
        x, kernel = context.saved_tensors
        gradient = gradient.contiguous()
        batch, height, width, channels = x.shape
        pixels = batch * height * width
        tiles = triton.cdiv(pixels, _PIXELS)
        programs, block = min(tiles, _PARTS), _block(channels)
        partial = torch.empty((programs, 9, channels), device=x.device, dtype=torch.float32)
        _kernel_gradient[(programs, 9, triton.cdiv(channels, block))](
            x, gradient, partial, height, width, pixels, channels, tiles, _PIXELS, block
        )
        return _run(gradient, kernel, True), partial.sum(0).reshape(3, 3, channels)


def _run(x, kernel, flip):
    batch, height, width, channels = x.shape
    y = torch.empty_like(x)
    pixels, block = batch * height * width, _block(channels)
    grid = triton.cdiv(pixels, _PIXELS), triton.cdiv(channels, block)
    _filter[grid](x, kernel, y, height, width, pixels, channels, flip, _PIXELS, block)
    return y


def _block(channels):
    return min(triton.next_power_of_2(channels), _CHANNELS)


def depthwise(x, kernel):
    """x `[B, H, W, C]` of any floating type, kernel float32 `[3, 3, C]`; zero padding keeps the size."""
    return _Depthwise.apply(x, kernel)
