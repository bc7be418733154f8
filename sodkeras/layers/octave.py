"""The generalised octave convolution."""

from collections.abc import Sequence
from typing import Any

import keras

from sodkeras.layers.conv_unit import UNIFORM_FAN_IN
from sodkeras.layers.normalised_activation import activation as activation_layer
from sodkeras.layers.normalised_activation import batch_norm, normalise
from sodkeras.layers.scaled_conv import ScaledConv2D, ScaledDepthwiseConv2D
from sodkeras.layers.upsample import BilinearUpSampling2D


@keras.saving.register_keras_serializable(package="sodkeras")
class OctaveConv(keras.layers.Layer):
    """Generalised octave convolution (gOctConv) → batch norm → activation, on any number of scales.

    Source: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters", ECCV 2020, Sec. 3.1; the
    order of resampling and convolution is that of the authors' released network.

    Scale i, 0 the finest, has 1/2^i of the height and width of scale 0. Output scale j is

        Y_j = activation_j(batch_norm_j(Σ_i path_ij(X_i)))

    with `path_ij` a convolution without bias; to a coarser scale (j > i) it follows a 2^(j-i) max-pooling, to a finer
    one (j < i) a bilinear 2^(i-j) upsampling follows it. With `strides=2` every input is average-pooled 2×2 first.
    A scale with 0 channels has no paths and no tensor.

    The forms in the papers:

    | form | arguments |
    |---|---|
    | vanilla OctConv, in-stage | two entries in `filters` |
    | cross-stage, as in the fusion head | one entry a stage, features of several stages as inputs |
    | simplified gOctConv | `depthwise=True, cross_scale=False` |
    | ordinary convolution | one entry in `filters`, one input; `strides` is then the convolution's own |

    Complexity, k the kernel size, C_i and D_j the channels, H×W the size of the output's scale 0:

        weights = k² · Σ_ij C_i · D_j          multiply-adds = k² · H · W · Σ_ij C_i · D_j / 4^max(i, j)

    over the pairs (i, j) that are connected; for the depthwise form, k² · Σ_i C_i and k² · H · W · Σ_i C_i / 4^i.

    Args:
        filters: output channels of each scale, the finest first; zeros are allowed.
        kernel_size: 1, 3, …; zero padding keeps the size.
        strides: 1 or 2.
        input_scales: the scale of each input tensor, ascending; default 0, 1, 2, …
        cross_scale: whether different scales are connected.
        depthwise: depthwise convolutions; needs `cross_scale=False` and `filters` equal to the input's channels.
        kernel_scale: a factor on the stored kernels in the forward pass, see `ScaledConv2D`.
        activation: "prelu", "relu", "leaky_relu" or None.
        kernel_initializer: of the kernels of all scales together (the fan of a `VarianceScaling` is that of the whole
            convolution, not of one path); default U(±1/√fan_in).

    Input: a list of `[B, H / 2^i, W / 2^i, C_i]`, one for each of `input_scales`, or one such tensor.
    Output: a list of `[B, H / 2^j, W / 2^j, filters[j]]`, one for each of `output_scales`.

    Raises:
        ValueError: for arguments that make no layer, an output scale that no input reaches, or sizes that do not
            halve evenly.
    """

    def __init__(
        self,
        filters: Sequence[int],
        kernel_size: int = 3,
        strides: int = 1,
        input_scales: Sequence[int] | None = None,
        cross_scale: bool = True,
        depthwise: bool = False,
        kernel_scale: float = 1,
        activation: str | None = "prelu",
        kernel_initializer: str | dict[str, Any] | keras.initializers.Initializer = UNIFORM_FAN_IN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = [int(count) for count in filters]
        if not any(self.filters) or min(self.filters) < 0:
            raise ValueError(f"OctaveConv needs an output scale with channels. Received: filters={filters}")
        if strides not in (1, 2):
            raise ValueError(f"OctaveConv has strides 1 or 2. Received: strides={strides}")
        if depthwise and cross_scale:
            raise ValueError("A depthwise OctaveConv needs cross_scale=False. Received: cross_scale=True")
        self.kernel_size = kernel_size
        self.strides = strides
        self.input_scales = None if input_scales is None else [int(scale) for scale in input_scales]
        self.cross_scale = cross_scale
        self.depthwise = depthwise
        self.kernel_scale = kernel_scale
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def output_scales(self) -> list[int]:
        """The scales with channels, ascending: one output tensor each, and the next layer's `input_scales`."""
        return [scale for scale, count in enumerate(self.filters) if count]

    def build(self, input_shape: Any) -> None:
        shapes = _shapes(input_shape)
        scales = self._scales_of(shapes)
        channels = {scale: shape[-1] for scale, shape in zip(scales, shapes, strict=True)}
        own = {"dtype": self.dtype_policy}

        def name(part):
            # Sublayers carry the parent's name so that a flattened network keeps unique, readable names.
            return f"{self.name}_{part}"

        #: 2×2 average poolings in front of everything, by input scale; empty without strides.
        self.averages = {}
        if self.strides == 2 and not self._is_ordinary(scales):
            self.averages = {
                str(scale): keras.layers.AveragePooling2D(2, **own, name=name(f"average{scale}")) for scale in scales
            }
        #: Convolutions, and the poolings and upsamplings beside them, by "i to j".
        self.convs, self.pools, self.upsamplings = {}, {}, {}
        self.activations: dict[str, Any]
        #: The sum, batch norm and activation of each output scale.
        self.sums, self.norms, self.activations = {}, {}, {}
        for j in self.output_scales:
            sources = [i for i in scales if self.cross_scale or i == j]
            if not sources:
                raise ValueError(
                    f"No input of this OctaveConv reaches output scale {j}. Received: input_scales={scales}"
                )
            for i in sources:
                path = f"{i}to{j}"
                self.convs[path] = self._conv(channels, i, j, name(f"conv{path}"), self._is_ordinary(scales))
                self.convs[path].build((None, None, None, channels[i]))
                if j > i:
                    self.pools[path] = keras.layers.MaxPooling2D(2 ** (j - i), **own, name=name(f"pool{path}"))
                elif j < i:
                    self.upsamplings[path] = BilinearUpSampling2D(2 ** (i - j), **own, name=name(f"upsample{path}"))
            if len(sources) > 1:
                self.sums[str(j)] = keras.layers.Add(**own, name=name(f"sum{j}"))
            kernel_scale = getattr(self.convs[f"{sources[0]}to{j}"], "kernel_scale", 1)
            self.norms[str(j)] = batch_norm(name(f"bn{j}"), self.dtype_policy, kernel_scale)
            self.norms[str(j)].build((None, None, None, self.filters[j]))
            if self.activation is not None:
                self.activations[str(j)] = activation_layer(self.activation, name(f"activation{j}"), self.dtype_policy)
                self.activations[str(j)].build((None, None, None, self.filters[j]))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> list[Any]:
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        scales = self._check_sizes([tuple(x.shape) for x in inputs])
        if self.averages:
            inputs = [self.averages[str(scale)](x) for scale, x in zip(scales, inputs, strict=True)]
        outputs = []
        for j in self.output_scales:
            terms = []
            for i, x in zip(scales, inputs, strict=True):
                path = f"{i}to{j}"
                if path not in self.convs:
                    continue
                if path in self.pools:
                    x = self.pools[path](x)
                x = self.convs[path](x)
                terms.append(self.upsamplings[path](x) if path in self.upsamplings else x)
            y = self.sums[str(j)](terms) if len(terms) > 1 else terms[0]
            outputs.append(normalise(y, self.norms[str(j)], self.activations.get(str(j)), training))
        return outputs

    def compute_output_shape(self, input_shape: Any) -> list[tuple]:
        shapes = _shapes(input_shape)
        scales = self._check_sizes(shapes)
        # Rounded up, as an ordinary convolution with strides does; all other layers divide evenly.
        finest = [size if size is None else -(-size * 2 ** scales[0] // self.strides) for size in shapes[0][1:3]]
        return [
            (shapes[0][0], *(size if size is None else size // 2**scale for size in finest), self.filters[scale])
            for scale in self.output_scales
        ]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "input_scales": self.input_scales,
            "cross_scale": self.cross_scale,
            "depthwise": self.depthwise,
            "kernel_scale": self.kernel_scale,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _is_ordinary(self, scales):
        return len(self.filters) == 1 and scales == [0]

    def _scales_of(self, shapes):
        scales = list(range(len(shapes))) if self.input_scales is None else self.input_scales
        if len(scales) != len(shapes) or scales != sorted(set(scales)):
            raise ValueError(
                f"OctaveConv needs one input for each of its input_scales, ascending. Received: {len(shapes)} inputs, "
                f"input_scales={scales}"
            )
        return scales

    def _check_sizes(self, shapes):
        """Refuses known sizes that would not add up, and returns the scales of the inputs."""
        scales = self._scales_of(shapes)
        if self._is_ordinary(scales):
            return scales
        multiple = self.strides * 2 ** max(scales + self.output_scales if self.cross_scale else [0])
        for axis in (1, 2):
            sizes = [shape[axis] for shape in shapes]
            finest = {size * 2**scale for size, scale in zip(sizes, scales, strict=True) if size is not None}
            if len(finest) > 1 or any(size % multiple for size in finest):
                raise ValueError(
                    f"{self.name} needs inputs at 1/2^i of one height and width, divisible by {multiple}. Received: "
                    f"{[tuple(shape[1:3]) for shape in shapes]} at the scales {scales}"
                )
        return scales

    def _conv(self, channels, i, j, name, is_ordinary):
        common = {
            "kernel_size": self.kernel_size,
            "strides": self.strides if is_ordinary else 1,
            "padding": "same",
            "use_bias": False,
            "dtype": self.dtype_policy,
            "name": name,
        }
        if self.depthwise:
            if channels[i] != self.filters[i]:
                raise ValueError(
                    f"A depthwise OctaveConv keeps the channels of scale {i}, {channels[i]}. Received: {self.filters}"
                )
            # Keras counts the fan of a depthwise kernel over all channels, though each sees only its own.
            initializer = _with_fans(self.kernel_initializer, (channels[i], 1), (1, 1))
            common["depthwise_initializer"] = initializer
            if self.kernel_scale == 1:
                return keras.layers.DepthwiseConv2D(**common)
            return ScaledDepthwiseConv2D(**common, kernel_scale=self.kernel_scale)
        part = (channels[i], self.filters[j])
        whole = (sum(channels.values()), sum(self.filters)) if self.cross_scale else part
        common |= {"filters": self.filters[j], "kernel_initializer": _with_fans(self.kernel_initializer, part, whole)}
        if self.kernel_scale == 1:
            return keras.layers.Conv2D(**common)
        return ScaledConv2D(**common, kernel_scale=self.kernel_scale)


def _shapes(input_shape):
    """A list of shapes from one shape or a list of them."""
    if isinstance(input_shape[0], (list, tuple)):
        return [tuple(shape) for shape in input_shape]
    return [tuple(input_shape)]


def _with_fans(initializer, part, whole):
    """The initialiser for a part of a kernel that draws as if for the whole, given the (input, output) channels."""
    if not isinstance(initializer, keras.initializers.VarianceScaling):
        return initializer.clone()
    weights = {"fan_in": (1, 0), "fan_out": (0, 1), "fan_avg": (0.5, 0.5)}[initializer.mode]
    fan_of_part, fan_of_whole = (sum(w * fan for w, fan in zip(weights, fans, strict=True)) for fans in (part, whole))
    return keras.initializers.VarianceScaling(
        scale=initializer.scale * fan_of_part / fan_of_whole,
        mode=initializer.mode,
        distribution=initializer.distribution,
        seed=initializer.get_config()["seed"],
    )
