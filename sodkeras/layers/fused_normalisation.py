"""Batch norm and its activation as one operation, for training on CPUs with TensorFlow.

Keras makes a batch norm and a PReLU of thirty operators, each of which goes through the whole feature map; where maps
are large and channels few, as in CSNet, that is what a training step's time goes to. Here XLA compiles each direction
to a few loops. A map is looked at as a matrix of image rows, W · C values wide: with seven channels alone as the
innermost dimension there would be nothing to vectorise.
"""

from typing import Any

import keras
import tensorflow as tf


def can_fuse(x: Any, norm: keras.layers.Layer) -> bool:
    """Whether `fused` stands for `activation(norm(x, training=...))` while a network is trained.

    It does for float32 maps of a fixed size, on a CPU, behind a batch norm that is trained and that nobody listens to.
    """
    return (
        isinstance(x, tf.Tensor)
        and x.dtype == tf.float32
        and x.shape.rank == 4
        and x.shape[1:].is_fully_defined()
        and type(norm) is keras.layers.BatchNormalization
        and norm.trainable
        and not norm.synchronized
        and norm.activity_regularizer is None
        and not tf.config.get_visible_devices("GPU")
    )


def fused(
    x: Any, norm: keras.layers.BatchNormalization, activation: keras.layers.Layer | None, training: bool = True
) -> Any:
    """`activation(norm(x, training=training))`, moving statistics included; see `can_fuse`.

    An activation of another kind, or one that somebody listens to, follows as a layer.
    """
    slope = _negative_slope(activation)
    gamma, beta = tf.convert_to_tensor(norm.gamma.value), tf.convert_to_tensor(norm.beta.value)
    slopes = tf.broadcast_to(1.0 if slope is None else slope, gamma.shape)
    moving = norm.moving_mean, norm.moving_variance
    if training:
        y, *now = _normalise(x, gamma, beta, slopes, norm.epsilon)
        for old, new in zip(moving, now, strict=True):
            old.assign(old * norm.momentum + new * (1 - norm.momentum))
    else:
        y, *_ = _normalise(x, gamma, beta, slopes, norm.epsilon, *map(tf.convert_to_tensor, moving))
    return y if slope is not None or activation is None else activation(y)


def _negative_slope(activation):
    """What an activation multiplies negative values by: a number, or one for each channel; None for other kinds."""
    if activation is None or activation.activity_regularizer is not None:
        return None
    if type(activation) is keras.layers.PReLU and list(activation.shared_axes or []) == [1, 2]:
        return tf.reshape(activation.alpha.value, [-1])
    if type(activation) is keras.layers.ReLU and activation.max_value is None and not activation.threshold:
        return float(activation.negative_slope)
    if type(activation) is keras.layers.LeakyReLU:
        return float(activation.negative_slope)
    return None


def _normalise(x, gamma, beta, slope, epsilon, *fixed):
    """By the mean and variance that are `fixed`, or by the batch's, which it returns, too."""
    epsilon = tf.constant(epsilon, tf.float32)
    backward = _backward_fixed if fixed else _backward

    @tf.custom_gradient
    def operation(x, gamma, beta, slope):
        y, mean, variance = _compiled(_forward, x, gamma, beta, slope, epsilon, *fixed)

        def gradient(of_y, *_):  # nothing is trained by the moving statistics
            return _compiled(backward, of_y, x, gamma, beta, slope, mean, variance, epsilon)

        return (y, mean, variance), gradient

    return operation(x, gamma, beta, slope)


def _compiled(function, *tensors):
    # Called plainly, a function for many shapes warns of being traced again and again.
    return function.get_concrete_function(*map(tf.TensorSpec.from_tensor, tensors))(*tensors)


@tf.function(jit_compile=True, autograph=False)
def _forward(x, gamma, beta, slope, epsilon, *fixed):
    rows, row, mean_of = _as_rows(x)
    mean, variance = fixed or (mean_of(rows), None)
    centred = rows - row(mean)
    if not fixed:
        variance = mean_of(centred * centred)
    y = centred * row(gamma * tf.math.rsqrt(variance + epsilon)) + row(beta)
    return tf.reshape(tf.where(y > 0, y, row(slope) * y), tf.shape(x)), mean, variance


@tf.function(jit_compile=True, autograph=False)
def _backward(*tensors):
    return _gradients(*tensors, moves=True)


@tf.function(jit_compile=True, autograph=False)
def _backward_fixed(*tensors):
    return _gradients(*tensors, moves=False)


def _gradients(of_y, x, gamma, beta, slope, mean, variance, epsilon, moves):
    rows, row, mean_of = _as_rows(x)
    of_y, _, _ = _as_rows(of_y)
    scale = tf.math.rsqrt(variance + epsilon)
    normal = (rows - row(mean)) * row(scale)
    before = normal * row(gamma) + row(beta)
    of_before = tf.where(before > 0, of_y, row(slope) * of_y)
    along_beta, along_gamma = mean_of(of_before), mean_of(of_before * normal)
    along_slope = mean_of(of_y * tf.minimum(before, 0))
    # A change of x moves the batch's statistics, not fixed ones.
    of_normal = of_before - row(along_beta) - normal * row(along_gamma) if moves else of_before
    of_x = of_normal * row(gamma * scale)
    count = tf.cast(tf.size(x) / x.shape[-1], tf.float32)
    return tf.reshape(of_x, tf.shape(x)), count * along_gamma, count * along_beta, count * along_slope


def _as_rows(x):
    """A map as a matrix, a function that makes a row of channels' values, and one that averages rows by channel."""
    _, height, width, channels = x.shape
    count = tf.shape(x)[0] * height

    def row(values):
        return tf.tile(values, [width])

    def mean_of(rows):
        return tf.reduce_mean(tf.reshape(tf.reduce_mean(rows, 0), [width, channels]), 0)

    return tf.reshape(x, tf.stack([count, width * channels])), row, mean_of
