"""Batch norm that trains with TensorFlow's fused kernel, which Keras 3 does not use."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sodkeras")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, with the same arguments, weights and results, faster to train.

    Under TensorFlow, a training step on `[B, H, W, C]` calls the fused kernel (one operator forward and one backward)
    where Keras composes some twenty; `benchmarks/training_profile.py` measures it. Everything else is Keras's:
    inference, other backends and shapes, float64, `synchronized=True`, masks, renormalization.
    """

    def call(self, inputs, training=None, mask=None):
        fused = (
            training
            and self.trainable
            and mask is None
            and self.scale
            and self.center
            and self.axis in (-1, 3)
            and self.compute_dtype != "float64"
            and len(inputs.shape) == 4
            and not (self.synchronized or self.renorm)
            and keras.backend.backend() == "tensorflow"
        )
        return self._fused(inputs) if fused else super().call(inputs, training=training, mask=mask)

    def _fused(self, inputs):
        import tensorflow as tf

        x = ops.cast(inputs, self.compute_dtype)
        gamma, beta = (ops.cast(weight, "float32") for weight in (self.gamma, self.beta))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=self.epsilon, is_training=True)
        # The kernel gives the unbiased variance; Keras keeps the biased one.
        count = ops.cast(ops.prod(ops.shape(x)[:-1]), "float32")
        variance = variance * ((count - 1) / count)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            new = ops.cast(new, moving.dtype)
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        return y
