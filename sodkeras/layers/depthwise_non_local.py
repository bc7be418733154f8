"""The depthwise non-local layer of DNL."""

from typing import Any

import keras
from keras import ops

DIRECTIONS = ("vertical", "horizontal")


@keras.saving.register_keras_serializable(package="sodkeras")
class DepthwiseNonLocal(keras.layers.Layer):
    """Attention between the columns (or rows) of every channel, added to the input.

    Source: Li et al., "Depthwise Nonlocal Module for Fast Salient Object Detection Using a Single Thread", IEEE
    Transactions on Cybernetics 2020, Sec. III; no code was released, and where the text leaves a choice the class
    names it.

    In the vertical layer every channel k has a column `I_kj` of length H at each position j. Embeddings η, φ and g,
    with a matrix and a bias of their own for each channel, give

        A_(k,j),(l,m) = η(I_kj) · φ(I_lm),    y = softmax over (l,m) of A · g(I),    O = I + f(y),

    over all channels and positions at once; f maps back to length H, again channel by channel. The horizontal layer is
    the same with rows. The free axis (W of the vertical layer, H of the horizontal) is cut into `parts`, each of which
    attends only to itself: multiply-adds and memory of A fall by that factor, while the weights stay the same.

    Args:
        direction: "vertical" or "horizontal".
        parts: s, a divisor of the free axis's length.
        latent_values: whether g maps to half the length and f back from it (the reading that fits the paper's model
            size best), or g and f keep the length.
        attention_scale: a factor on A in front of the softmax. The paper names none, which is 1; features of large
            variance then make the softmax pick single vectors, and a factor such as 1/√H′ keeps it soft.
        kernel_initializer: of η, φ and g; a `VarianceScaling` counts the fan of one channel.
        output_initializer: of f; zeros make an untrained layer the identity.

    Input and output: `[B, H, W, C]` of a fixed height and width, which the weights' shapes depend on.

    Raises:
        ValueError: for an unknown direction, an unknown size, or parts that do not divide it, naming those that do.
    """

    def __init__(
        self,
        direction: str = "vertical",
        parts: int = 1,
        latent_values: bool = True,
        attention_scale: float = 1.0,
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = "glorot_uniform",
        output_initializer: str | dict[str, Any] | keras.initializers.Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if direction not in DIRECTIONS:
            raise ValueError(f"DepthwiseNonLocal takes direction from {DIRECTIONS}. Received: {direction!r}")
        self.direction = direction
        self.parts = parts
        self.latent_values = latent_values
        self.attention_scale = attention_scale
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.output_initializer = keras.initializers.get(output_initializer)

    def build(self, input_shape: tuple) -> None:
        channels = input_shape[-1]
        length, free = self._length_and_free(input_shape)
        latent = max(length // 2, 1)
        values = latent if self.latent_values else length

        def embedding(name, inputs, outputs, initializer):
            kernel = self.add_weight(
                shape=(channels, inputs, outputs),
                initializer=_per_channel(initializer, channels),
                name=f"{name}_kernel",
            )
            bias = self.add_weight(shape=(channels, 1, outputs), initializer="zeros", name=f"{name}_bias")
            return kernel, bias

        #: η, φ, g and f: kernels `[C, from, to]` and biases `[C, 1, to]`.
        self.query_kernel, self.query_bias = embedding("query", length, latent, self.kernel_initializer)
        self.key_kernel, self.key_bias = embedding("key", length, latent, self.kernel_initializer)
        self.value_kernel, self.value_bias = embedding("value", length, values, self.kernel_initializer)
        self.output_kernel, self.output_bias = embedding("output", values, length, self.output_initializer)
        self._channels, self._free = channels, free
        self.built = True

    def call(self, x: Any) -> Any:
        # Vectors last, [B, C, free axis, length]: then every product is a batched matrix product.
        to_vectors = (0, 3, 2, 1) if self.direction == "vertical" else (0, 3, 1, 2)
        back = (0, 3, 2, 1) if self.direction == "vertical" else (0, 2, 3, 1)
        vectors = ops.transpose(x, to_vectors)
        query = self._split(ops.matmul(vectors, self.query_kernel) + self.query_bias)
        key = self._split(ops.matmul(vectors, self.key_kernel) + self.key_bias)
        value = self._split(ops.matmul(vectors, self.value_kernel) + self.value_bias)
        # Sums of thousands of exponentials want float32 even where the network computes in a smaller type.
        similarity = ops.cast(ops.matmul(query, ops.transpose(key, (0, 2, 1))), "float32")
        if self.attention_scale != 1:
            similarity = similarity * self.attention_scale
        attention = ops.cast(ops.softmax(similarity, axis=-1), x.dtype)
        y = self._join(ops.matmul(attention, value))
        return x + ops.transpose(ops.matmul(y, self.output_kernel) + self.output_bias, back)

    def _split(self, vectors):
        """`[B, C, F, D]` to `[B · parts, C · F / parts, D]`."""
        channels, free, size, s = self._channels, self._free, vectors.shape[-1], self.parts
        if s > 1:
            vectors = ops.reshape(vectors, (-1, channels, s, free // s, size))
            vectors = ops.transpose(vectors, (0, 2, 1, 3, 4))
        return ops.reshape(vectors, (-1, channels * free // s, size))

    def _join(self, vectors):
        """The way back from `_split`."""
        channels, free, size, s = self._channels, self._free, vectors.shape[-1], self.parts
        if s > 1:
            vectors = ops.reshape(vectors, (-1, s, channels, free // s, size))
            vectors = ops.transpose(vectors, (0, 2, 1, 3, 4))
        return ops.reshape(vectors, (-1, channels, free, size))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def multiply_adds(self) -> int:
        """Of the layer's matrix products for one picture, without biases and softmax; it must be built."""
        pairs = (self._channels * self._free) ** 2 // self.parts
        kernels = (self.query_kernel, self.key_kernel, self.value_kernel, self.output_kernel)
        return pairs * (self.query_kernel.shape[2] + self.value_kernel.shape[2]) + self._free * sum(
            kernel.shape[0] * kernel.shape[1] * kernel.shape[2] for kernel in kernels
        )

    def _length_and_free(self, input_shape):
        length, free = input_shape[1:3] if self.direction == "vertical" else input_shape[2:0:-1]
        if length is None or free is None:
            raise ValueError(
                "DepthwiseNonLocal needs a fixed height and width, which its weights depend on. Received: "
                f"{tuple(input_shape)}"
            )
        if self.parts < 1 or free % self.parts:
            divisors = ", ".join(str(number) for number in range(1, free + 1) if free % number == 0)
            raise ValueError(
                f"The parts of a {self.direction} DepthwiseNonLocal on {input_shape[1]}×{input_shape[2]} must divide "
                f"{free}: {divisors}. Received: parts={self.parts}"
            )
        return length, free

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "direction": self.direction,
            "parts": self.parts,
            "latent_values": self.latent_values,
            "attention_scale": self.attention_scale,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "output_initializer": keras.initializers.serialize(self.output_initializer),
        }


def _per_channel(initializer, channels):
    """Keras takes the first axis of a 3-D kernel for a spatial one, and multiplies the fans by it."""
    if not isinstance(initializer, keras.initializers.VarianceScaling):
        return initializer.clone()
    config = initializer.get_config()
    return keras.initializers.VarianceScaling(
        scale=initializer.scale * channels,
        mode=initializer.mode,
        distribution=initializer.distribution,
        seed=config["seed"],
    )
