"""CSNet's training step on one GPU: PyTorch with a few kernels in Triton, for own_weights_gpu.py.

CSNet is many maps of few channels, so a step moves bytes rather than multiplies, and much of PyTorch, made for hundreds
of channels, takes many times what moving them takes. Here maps are `[B, C, H, W]`; batch norm with its activation,
depthwise convolutions and what any convolution's kernel learns are kernels of our own, one pass each. NOTES.md has the
times. On a CPU PyTorch's own functions do the same.
"""

import torch
from torch.nn import functional

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch for CPUs comes without
    triton = None

#: Whether the kernels run; tests turn them on for Triton's interpreter.
USE_KERNELS = torch.cuda.is_available()
# How many programs share a sum over all pixels: a few for each of the GPU's processors.
_SHARES = 264


def forward(model, x, training=True):
    """The logits `[B, H, W, 1]` of a Keras `CSNet` for normalised RGB `[B, H, W, 3]`, whose weights learn from it.

    In training batch norms use the batch's statistics and move their own, as Keras's do; else they use their own.
    """
    height, width = x.shape[1:3]
    features, stage_features = [x.permute(0, 3, 1, 2).contiguous()], {}
    for layer in model.layers:
        if layer.name.startswith("stage"):
            for unit in (layer.mix, layer.unit1, layer.unit2):
                features = _octave(unit, features, training)
            stage_features[int(layer.name[len("stage")])] = features[0]
    fusion, classifier = model.get_layer("fusion"), model.get_layer("classifier")
    mixed = _octave(fusion.mix, [stage_features[stage] for stage in model.channels["fusion"]["stages"]], training)
    dilated = []
    for layer, features in zip(fusion.dilated, mixed, strict=True):
        maps = [_convolve(conv, features) for conv in layer.convs.values()]
        dilated.append(_normalise(torch.cat(maps, 1), layer.norm, layer.activation_layer, training))
    logits = _convolve(classifier, _octave(fusion.merge, dilated, training)[0])
    logits = logits + classifier.bias.value.reshape(1, -1, 1, 1)
    return _enlarge(logits, height // logits.shape[2], width // logits.shape[3]).permute(0, 2, 3, 1)


def loss(logits, masks, weights):
    """BCE + IoU, as `sodkeras.losses` has them, of `[B, H, W, 1]`; `weights` `[B]`."""
    entropy = functional.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean((1, 2, 3))
    saliency = torch.sigmoid(logits)
    differing = (saliency * (1 - masks) + masks * (1 - saliency)).sum((1, 2, 3))
    union = (saliency + masks * (1 - saliency)).sum((1, 2, 3))
    return (weights * (entropy + differing / union.clamp(min=1e-7))).mean()


def warm_up(model):
    """Compiles the kernels of this network's step, which Triton keeps for other processes."""
    if USE_KERNELS:
        x = torch.zeros(1, 2 * model.size_multiple, 2 * model.size_multiple, 3, device="cuda")
        loss(forward(model, x), x[..., :1], x.new_ones(1)).backward()


def _octave(layer, inputs, training):
    if layer.averages:
        inputs = [_Halve.apply(x) for x in inputs]
    scales = range(len(inputs)) if layer.input_scales is None else layer.input_scales
    outputs = []
    for j in layer.output_scales:
        total = None
        for i, x in zip(scales, inputs, strict=True):
            conv = layer.convs.get(f"{i}to{j}")
            if conv is None:
                continue
            if j > i:
                x = functional.max_pool2d(x, 2 ** (j - i))
            y = _convolve(conv, x)
            if j < i:
                y = _enlarge(y, 2 ** (i - j), 2 ** (i - j))
            total = y if total is None else total + y
        outputs.append(_normalise(total, layer.norms[str(j)], layer.activations.get(str(j)), training))
    return outputs


def _convolve(conv, x):
    kernel = conv.kernel.value * getattr(conv, "kernel_scale", 1)
    if type(conv).__name__.endswith("DepthwiseConv2D"):
        kernel = kernel.permute(2, 3, 0, 1)  # [C, 1, 3, 3]
        if USE_KERNELS:
            return _Depthwise.apply(x, kernel)
        return functional.conv2d(x, kernel, padding=1, groups=x.shape[1])
    kernel, dilation = kernel.permute(3, 2, 0, 1), conv.dilation_rate[0]  # [O, I, k, k]
    return _Convolution.apply(x, kernel, dilation) if USE_KERNELS else _convolution(x, kernel, dilation)


def _normalise(x, norm, activation, training):
    gamma, beta, slopes = norm.gamma.value, norm.beta.value, activation.alpha.value.reshape(-1)
    mean, variance = norm.moving_mean.value, norm.moving_variance.value
    if USE_KERNELS:
        return _NormAndPReLU.apply(x, gamma, beta, slopes, mean, variance, norm, training)
    if training:
        now = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        with torch.no_grad():
            mean.lerp_(now[0], 1 - norm.momentum)
            variance.lerp_(now[1], 1 - norm.momentum)
        mean, variance = now
    mean, factor, beta = (row.reshape(1, -1, 1, 1) for row in (mean, (variance + norm.epsilon).rsqrt() * gamma, beta))
    return functional.prelu((x - mean) * factor + beta, slopes)


_MATRICES = {}


def _enlarge(x, rows, columns):
    """Bilinear, half-pixel centres: a product with a constant matrix along each axis, backward, too."""
    for axis, factor in ((2, rows), (3, columns)):
        if factor == 1:
            continue
        key = (x.shape[axis], factor, x.device)
        if key not in _MATRICES:
            unit = torch.eye(key[0], device=x.device)[None]
            _MATRICES[key] = functional.interpolate(unit, scale_factor=factor, mode="linear")[0].T.contiguous()
        x = _MATRICES[key] @ x if axis == 2 else x @ _MATRICES[key].T
    return x


class _Halve(torch.autograd.Function):
    """2×2 average pooling; backward one copy."""

    @staticmethod
    def forward(ctx, x):
        return functional.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx, of_y):
        batch, channels, height, width = of_y.shape
        of_x = (of_y / 4)[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
        return of_x.reshape(batch, channels, 2 * height, 2 * width)


class _Convolution(torch.autograd.Function):
    """Any odd square kernel, stride 1, zeros around."""

    @staticmethod
    def forward(ctx, x, kernel, dilation):
        ctx.save_for_backward(x, kernel)
        ctx.dilation = dilation
        return _convolution(x, kernel, dilation)

    @staticmethod
    def backward(ctx, of_y):
        x, kernel = ctx.saved_tensors
        of_y = of_y.contiguous()
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = _convolution(of_y, kernel.flip(2, 3).transpose(0, 1), ctx.dilation)
        return of_x, _convolution_weights(x, of_y, kernel, ctx.dilation), None


def _power(count):
    return max(16, triton.next_power_of_2(count))


def _convolution(x, kernel, dilation):
    return functional.conv2d(x, kernel, padding=dilation * (kernel.shape[-1] // 2), dilation=dilation)


def _convolution_weights(x, of_y, kernel, dilation):
    batch, channels, height, width = x.shape
    outputs, side = len(kernel), kernel.shape[-1]
    shares = max(16, _SHARES // side**2)
    widest = _power(max(channels, outputs))
    size = {16: 128, 32: 128, 64: 64}.get(widest, 32)
    blocks = triton.cdiv(height * width, size)
    parts = x.new_empty(shares, side**2, outputs, channels)
    _convolution_weights_kernel[side**2, shares](
        x, of_y, parts, channels, outputs, height, width, dilation, blocks, batch * blocks, shares,
        side, _power(channels), _power(outputs), size, num_warps=8 if widest > 64 else 4,
    )  # fmt: skip
    return parts.sum(0).permute(1, 2, 0).reshape(kernel.shape)


class _Depthwise(torch.autograd.Function):
    """3×3, stride 1, zeros around."""

    @staticmethod
    def forward(ctx, x, kernel):
        taps = kernel.reshape(-1, 9).contiguous()
        ctx.save_for_backward(x, taps)
        return _depthwise(x, taps, False)

    @staticmethod
    def backward(ctx, of_y):
        x, taps = ctx.saved_tensors
        of_y = of_y.contiguous()
        batch, channels, height, width = x.shape
        size = 512
        blocks = triton.cdiv(height * width, size)
        shares = _shares(channels, batch * blocks)
        parts = x.new_empty(channels, shares, 16)
        _depthwise_weights_kernel[channels, shares](
            x, of_y, parts, channels, height, width, blocks, batch * blocks, shares, size
        )
        return _depthwise(of_y, taps, True), parts.sum(1)[:, :9].reshape(-1, 1, 3, 3)


def _shares(channels, blocks):
    """Into how many parts the sums of one channel are cut."""
    return min(max(1, 8 * _SHARES // channels), blocks)


def _depthwise(x, taps, turned):
    batch, channels, height, width = x.shape
    y = torch.empty_like(x)
    size = 512
    _depthwise_kernel[triton.cdiv(height * width, size), batch * channels](
        x, taps, y, channels, height, width, turned, size
    )
    return y


class _NormAndPReLU(torch.autograd.Function):
    """Batch norm by the batch's statistics, or by the moving ones, then PReLU."""

    @staticmethod
    def forward(ctx, x, gamma, beta, slopes, moving_mean, moving_variance, norm, training):
        batch, channels, height, width = x.shape
        blocks, shares = _blocks(x)
        mean, variance = moving_mean, moving_variance
        if training:
            parts = x.new_empty(channels, shares, 2)
            # Sums are of distances from the moving mean, so that a large mean does not swallow a small variance.
            _moments_kernel[channels, shares](
                x, moving_mean, parts, channels, height * width, blocks, batch * blocks, shares, _SIZE
            )
            sums = parts.sum(1) / (batch * height * width)
            mean, variance = moving_mean + sums[:, 0], sums[:, 1] - sums[:, 0].square()
            moving_mean.lerp_(mean, 1 - norm.momentum)
            moving_variance.lerp_(variance, 1 - norm.momentum)
        scales = torch.stack([mean, (variance + norm.epsilon).rsqrt(), gamma, beta, slopes], 1)
        y = torch.empty_like(x)
        _normalise_kernel[blocks, batch * channels](x, scales, y, channels, height * width, _SIZE)
        ctx.save_for_backward(x, scales)
        ctx.training = training
        return y

    @staticmethod
    def backward(ctx, of_y):
        x, scales = ctx.saved_tensors
        of_y = of_y.contiguous()
        batch, channels, height, width = x.shape
        blocks, shares = _blocks(x)
        parts = x.new_empty(channels, shares, 4)
        _normalise_sums_kernel[channels, shares](
            x, of_y, scales, parts, channels, height * width, blocks, batch * blocks, shares, _SIZE
        )
        sums = parts.sum(1)
        # What the statistics depend on comes off the input's gradient; fixed ones depend on nothing.
        means = sums / (batch * height * width) if ctx.training else torch.zeros_like(sums)
        of_x = torch.empty_like(x)
        _normalise_backward_kernel[blocks, batch * channels](
            x, of_y, scales, means, of_x, channels, height * width, _SIZE
        )
        of_beta, of_gamma, of_slopes, _ = sums.unbind(1)
        return of_x, of_gamma, of_beta, of_slopes, None, None, None, None


_SIZE = 1024  # pixels of a plane that a program normalises at a time


def _blocks(x):
    """Of a plane, and the programs that share one channel's sums."""
    blocks = triton.cdiv(x.shape[2] * x.shape[3], _SIZE)
    return blocks, _shares(x.shape[1], x.shape[0] * blocks)


if triton is not None:

    @triton.jit
    def _pixels(x, first, row, column, height, width):
        """Values around pixels of planes that begin at `first`; 0 outside."""
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return tl.load(x + first + row * width + column, mask=inside, other=0.0)

    @triton.jit(
        do_not_specialize=["channels", "outputs", "height", "width", "dilation", "blocks", "all_blocks", "shares"]
    )
    def _convolution_weights_kernel(
        x, of_y, parts, channels, outputs, height, width, dilation, blocks, all_blocks, shares,
        SIDE: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, SIZE: tl.constexpr,
    ):  # fmt: skip
        """One tap's gradient over every `shares`-th block of pixels."""
        tap, share = tl.program_id(0), tl.program_id(1)
        ins, outs = tl.arange(0, IN), tl.arange(0, OUT)
        area = height * width
        total = tl.zeros((OUT, IN), tl.float32)
        for block in range(share, all_blocks, shares):
            picture = block // blocks
            place = (block % blocks) * SIZE + tl.arange(0, SIZE)
            r = place // width + (tap // SIDE - SIDE // 2) * dilation
            c = place % width + (tap % SIDE - SIDE // 2) * dilation
            inside = (place < area) & (r >= 0) & (r < height) & (c >= 0) & (c < width)
            gradients = tl.load(
                of_y + (picture * outputs + outs)[:, None] * area + place[None, :],
                mask=(outs < outputs)[:, None] & inside[None, :],
                other=0.0,
            )
            values = tl.load(
                x + (picture * channels + ins)[None, :] * area + (r * width + c)[:, None],
                mask=(ins < channels)[None, :] & inside[:, None],
                other=0.0,
            )
            total = tl.dot(gradients, values, total)
        where = ((share * SIDE * SIDE + tap) * outputs + outs)[:, None] * channels + ins[None, :]
        tl.store(parts + where, total, mask=(outs < outputs)[:, None] & (ins < channels)[None, :])

    @triton.jit(do_not_specialize=["channels", "height", "width"])
    def _depthwise_kernel(x, taps, y, channels, height, width, TURNED: tl.constexpr, SIZE: tl.constexpr):
        """Some pixels of one plane."""
        plane = tl.program_id(1)
        place = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
        row, column = place // width, place % width
        area = height * width
        total = tl.zeros((SIZE,), tl.float32)
        for tap in tl.static_range(9):
            weight = tl.load(taps + (plane % channels) * 9 + (8 - tap if TURNED else tap))
            total += weight * _pixels(x, plane * area, row + tap // 3 - 1, column + tap % 3 - 1, height, width)
        tl.store(y + plane * area + place, total, mask=place < area)

    @triton.jit(do_not_specialize=["channels", "height", "width", "blocks", "all_blocks", "shares"])
    def _depthwise_weights_kernel(
        x, of_y, parts, channels, height, width, blocks, all_blocks, shares, SIZE: tl.constexpr
    ):
        """One channel's nine sums over every `shares`-th block of pixels."""
        channel, share = tl.program_id(0), tl.program_id(1)
        area = height * width
        s0 = tl.zeros((SIZE,), tl.float32)
        s1, s2, s3, s4, s5, s6, s7, s8 = s0, s0, s0, s0, s0, s0, s0, s0
        for block in range(share, all_blocks, shares):
            first = (block // blocks * channels + channel) * area
            place = (block % blocks) * SIZE + tl.arange(0, SIZE)
            r, c = place // width, place % width
            g = tl.load(of_y + first + place, mask=place < area, other=0.0)
            s0 += g * _pixels(x, first, r - 1, c - 1, height, width)
            s1 += g * _pixels(x, first, r - 1, c, height, width)
            s2 += g * _pixels(x, first, r - 1, c + 1, height, width)
            s3 += g * _pixels(x, first, r, c - 1, height, width)
            s4 += g * _pixels(x, first, r, c, height, width)
            s5 += g * _pixels(x, first, r, c + 1, height, width)
            s6 += g * _pixels(x, first, r + 1, c - 1, height, width)
            s7 += g * _pixels(x, first, r + 1, c, height, width)
            s8 += g * _pixels(x, first, r + 1, c + 1, height, width)
        to = parts + (channel * shares + share) * 16
        tl.store(to, tl.sum(s0))
        tl.store(to + 1, tl.sum(s1))
        tl.store(to + 2, tl.sum(s2))
        tl.store(to + 3, tl.sum(s3))
        tl.store(to + 4, tl.sum(s4))
        tl.store(to + 5, tl.sum(s5))
        tl.store(to + 6, tl.sum(s6))
        tl.store(to + 7, tl.sum(s7))
        tl.store(to + 8, tl.sum(s8))

    @triton.jit(do_not_specialize=["channels", "area", "blocks", "all_blocks", "shares"])
    def _moments_kernel(x, origin, parts, channels, area, blocks, all_blocks, shares, SIZE: tl.constexpr):
        """One channel's sums of distances from `origin` and of their squares."""
        channel, share = tl.program_id(0), tl.program_id(1)
        centre = tl.load(origin + channel)
        total = tl.zeros((SIZE,), tl.float32)
        squares = total
        for block in range(share, all_blocks, shares):
            place = (block % blocks) * SIZE + tl.arange(0, SIZE)
            values = tl.load(x + (block // blocks * channels + channel) * area + place, mask=place < area, other=centre)
            total += values - centre
            squares += (values - centre) * (values - centre)
        to = parts + (channel * shares + share) * 2
        tl.store(to, tl.sum(total))
        tl.store(to + 1, tl.sum(squares))

    @triton.jit(do_not_specialize=["channels", "area"])
    def _normalise_kernel(x, scales, y, channels, area, SIZE: tl.constexpr):
        """Some pixels of one plane; `scales` are mean, inverse deviation, γ, β and slope of each channel."""
        plane = tl.program_id(1)
        place = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
        own = scales + (plane % channels) * 5
        values = tl.load(x + plane * area + place, mask=place < area, other=0.0)
        values = (values - tl.load(own)) * tl.load(own + 1) * tl.load(own + 2) + tl.load(own + 3)
        values = tl.where(values > 0, values, values * tl.load(own + 4))
        tl.store(y + plane * area + place, values, mask=place < area)

    @triton.jit(do_not_specialize=["channels", "area", "blocks", "all_blocks", "shares"])
    def _normalise_sums_kernel(x, of_y, scales, parts, channels, area, blocks, all_blocks, shares, SIZE: tl.constexpr):
        """One channel's gradients of β, γ and the slope."""
        channel, share = tl.program_id(0), tl.program_id(1)
        own = scales + channel * 5
        mean, inverse, gamma = tl.load(own), tl.load(own + 1), tl.load(own + 2)
        beta, slope = tl.load(own + 3), tl.load(own + 4)
        of_beta = tl.zeros((SIZE,), tl.float32)
        of_gamma, of_slope = of_beta, of_beta
        for block in range(share, all_blocks, shares):
            place = (block % blocks) * SIZE + tl.arange(0, SIZE)
            first = (block // blocks * channels + channel) * area
            normal = (tl.load(x + first + place, mask=place < area, other=0.0) - mean) * inverse
            gradient = tl.load(of_y + first + place, mask=place < area, other=0.0)
            before = normal * gamma + beta
            of_slope += tl.where(before > 0, 0.0, gradient * before)
            gradient = tl.where(before > 0, gradient, gradient * slope)
            of_beta += gradient
            of_gamma += gradient * normal
        to = parts + (channel * shares + share) * 4
        tl.store(to, tl.sum(of_beta))
        tl.store(to + 1, tl.sum(of_gamma))
        tl.store(to + 2, tl.sum(of_slope))
        tl.store(to + 3, 0.0)

    @triton.jit(do_not_specialize=["channels", "area"])
    def _normalise_backward_kernel(x, of_y, scales, means, of_x, channels, area, SIZE: tl.constexpr):
        """The input's gradient for some pixels of one plane; `means` are those of β's and γ's gradients first."""
        plane = tl.program_id(1)
        place = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
        own, average = scales + (plane % channels) * 5, means + (plane % channels) * 4
        inverse, gamma = tl.load(own + 1), tl.load(own + 2)
        normal = (tl.load(x + plane * area + place, mask=place < area, other=0.0) - tl.load(own)) * inverse
        gradient = tl.load(of_y + plane * area + place, mask=place < area, other=0.0)
        gradient = tl.where(normal * gamma + tl.load(own + 3) > 0, gradient, gradient * tl.load(own + 4))
        gradient = (gradient - tl.load(average) - normal * tl.load(average + 1)) * gamma * inverse
        tl.store(of_x + plane * area + place, gradient, mask=place < area)
