"""Losses from logits: overlap, structure, and their sum with cross-entropy.

Cross-entropy itself is Keras's, `keras.losses.BinaryCrossentropy(from_logits=True)`. CII's loss is

    WeightedSum([keras.losses.BinaryCrossentropy(from_logits=True), IntersectionOverUnionFromLogits()])

and the hybrid of BASNet has `StructuralSimilarityFromLogits()` as a third term.

Masks and logits are `[B, H, W, 1]`, masks in [0, 1]. Everything is computed in float32, whatever the network computes
in. Under `tf.distribute` a loss is the mean over the global batch, given replicas with equally many pictures.

A sample weight is one number a picture, `[B]`, or a pixel, `[B, H, W, 1]`. In the losses below, which are ratios, a
picture counts as much as its mean weight, and its pixels as much as their weights relative to that mean: a weight that
is constant in a picture scales the picture's loss, and nothing else.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def pixel_weights(sample_weight: Any) -> Any:
    """A sample weight with four axes, which broadcasts against pixels.

    Keras's own losses multiply a weight `[B]` into values `[B, H, W]` as if it were one a column.

    Args:
        sample_weight: `[B]`, `[B, 1]`, `[B, H, W]`, `[B, H, W, 1]` or None.

    Returns:
        `[B, 1, 1, 1]`, `[B, H, W, 1]` or None.
    """
    if sample_weight is None:
        return None
    sample_weight = ops.convert_to_tensor(sample_weight)
    rank = len(sample_weight.shape)
    if rank < 3:
        return ops.reshape(sample_weight, (-1, 1, 1, 1))
    return ops.expand_dims(sample_weight, -1) if rank == 3 else sample_weight


class _FromLogits(keras.losses.Loss):
    """A loss of saliency in [0, 1] against masks: `[B]` values, or one for the batch, from pixels with weights.

    Subclasses implement `compare(masks, saliency, weights)`, weights of mean 1 that broadcast, or 1.
    """

    #: Over which axes a ratio is taken, thus over which the weights have mean 1.
    axes: tuple[int, ...] = (1, 2, 3)

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = None) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if len(y_pred.shape) != 4 or len(y_true.shape) != 4:
            raise ValueError(
                f"{type(self).__name__} compares masks with logits, both [B, H, W, 1]. Received: "
                f"{tuple(y_true.shape)} and {tuple(y_pred.shape)}"
            )
        if sample_weight is None:
            return super().__call__(y_true, y_pred)
        weights = ops.cast(pixel_weights(sample_weight), self.dtype)
        mean = ops.mean(weights, axis=self.axes, keepdims=True)
        relative = ops.divide_no_nan(weights, mean)
        return super().__call__((y_true, relative), y_pred, ops.reshape(mean, (-1,)))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        masks, weights = y_true if isinstance(y_true, tuple) else (y_true, 1.0)
        return self.compare(masks, ops.sigmoid(y_pred), weights)


@keras.saving.register_keras_serializable(package="sodkeras")
class IntersectionOverUnionFromLogits(_FromLogits):
    """1 - Σ p·g / Σ (p + g - p·g), with p = σ(logits) and g the mask.

    Source: Liu et al., CII, IEEE Transactions on Image Processing 2021, where the sums go over a picture, without
    smoothing. The released code sums over the whole batch and adds 1 to both sums:
    `IntersectionOverUnionFromLogits(over="batch", smoothing=1.0)`.

    An empty mask with an empty map has loss 0.

    Args:
        over: "picture" or "batch". The ratio of sums over a batch is no mean over pictures: under `tf.distribute` the
            loss is the mean of the replicas' own ratios, not the ratio of the global batch.
        smoothing: added to intersection and union, in pixels.
        reduction, name: as in Keras.

    Raises:
        ValueError: for another `over`, or axes that do not fit.
    """

    def __init__(
        self,
        over: str = "picture",
        smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "intersection_over_union_from_logits",
    ) -> None:
        super().__init__(reduction, name)
        if over not in ("picture", "batch"):
            raise ValueError(f"The ratio is taken over a 'picture' or a 'batch'. Received: over={over!r}")
        self.over = over
        self.smoothing = smoothing
        self.axes = (1, 2, 3) if over == "picture" else (0, 1, 2, 3)

    def compare(self, masks: Any, saliency: Any, weights: Any) -> Any:
        # Written as (union - intersection) / union, a sum of what differs: small losses lose no digits.
        differing = ops.sum(weights * (saliency * (1 - masks) + masks * (1 - saliency)), axis=self.axes)
        union = ops.sum(weights * (saliency + masks * (1 - saliency)), axis=self.axes)
        # Not a scalar, which Keras would not scale for replicas.
        return ops.reshape(differing / ops.maximum(union + self.smoothing, keras.config.epsilon()), (-1,))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"over": self.over, "smoothing": self.smoothing}


@keras.saving.register_keras_serializable(package="sodkeras")
class StructuralSimilarityFromLogits(_FromLogits):
    """1 - SSIM of σ(logits) and the mask, averaged over every pixel's surroundings.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE Transactions
    on Image Processing 2004, Eq. 13, for values in [0, 1], with the constants of its Sec. III-C; as a loss for salient
    objects: Qin et al., "BASNet", CVPR 2019, Sec. 3.4. Outside a picture both are taken for zero, so that every pixel
    has a value.

    Args:
        window: side of the Gaussian window in pixels, odd.
        deviation: the Gaussian's standard deviation in pixels.
        reduction, name: as in Keras.

    Raises:
        ValueError: for an even window, or axes that do not fit.
    """

    def __init__(
        self,
        window: int = 11,
        deviation: float = 1.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "structural_similarity_from_logits",
    ) -> None:
        super().__init__(reduction, name)
        if window < 1 or window % 2 == 0:
            raise ValueError(f"The window has a middle, so its side is odd. Received: window={window}")
        self.window = window
        self.deviation = deviation

    def compare(self, masks: Any, saliency: Any, weights: Any) -> Any:
        maps = ops.concatenate([saliency, masks, saliency * saliency, masks * masks, saliency * masks], axis=-1)
        means = self._blur(maps)
        mean_s, mean_m, square_s, square_m, product = (means[..., index : index + 1] for index in range(5))
        small, smaller = 0.03**2, 0.01**2
        covariance = product - mean_s * mean_m
        variances = square_s - mean_s * mean_s + square_m - mean_m * mean_m
        similarity = ((2 * mean_s * mean_m + smaller) * (2 * covariance + small)) / (
            (mean_s * mean_s + mean_m * mean_m + smaller) * (variances + small)
        )
        return ops.mean(weights * (1 - similarity), axis=self.axes)

    def _blur(self, maps):
        offsets = np.arange(self.window) - self.window // 2
        gaussian = np.exp(-0.5 * (offsets / self.deviation) ** 2)
        gaussian = np.repeat((gaussian / gaussian.sum()).astype("float32")[:, None, None, None], maps.shape[-1], 2)
        for kernel in (gaussian, gaussian.transpose(1, 0, 2, 3)):
            maps = ops.depthwise_conv(maps, ops.convert_to_tensor(kernel), padding="same", data_format="channels_last")
        return maps

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"window": self.window, "deviation": self.deviation}


@keras.saving.register_keras_serializable(package="sodkeras")
class WeightedSum(keras.losses.Loss):
    """The sum of several losses, each times a factor, each with its own reduction.

    Args:
        losses: a list of Keras losses that take logits.
        factors: as many numbers; default 1 for each.
        name: as in Keras.

    Raises:
        ValueError: for something that is no `keras.losses.Loss`, or if there are not as many factors as losses.
    """

    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        factors: Sequence[float] | None = None,
        name: str | None = "weighted_sum",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.losses = [keras.losses.get(loss) for loss in losses]
        if not all(isinstance(loss, keras.losses.Loss) for loss in self.losses):
            raise ValueError(f"WeightedSum takes keras.losses.Loss objects, from logits. Received: {losses}")
        self.factors = [1.0] * len(self.losses) if factors is None else [float(factor) for factor in factors]
        if len(self.factors) != len(self.losses):
            raise ValueError(
                f"WeightedSum takes a factor for each of {len(self.losses)} losses. Received: factors={factors}"
            )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is not None:
            sample_weight = pixel_weights(ops.convert_to_tensor(sample_weight))
        return sum(
            factor * loss(y_true, y_pred, sample_weight) for loss, factor in zip(self.losses, self.factors, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "losses": [keras.losses.serialize(loss) for loss in self.losses],
            "factors": self.factors,
            "name": self.name,
        }
