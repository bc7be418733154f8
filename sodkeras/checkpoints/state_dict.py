"""Filling layers from a PyTorch state dict, array by array, so that in the end nothing is missing or left over."""

from sodkeras.errors import SodkerasError


class StateDict:
    """Takes arrays out of a state dict one by one.

    Args:
        arrays: names to NumPy arrays in PyTorch's layout.
        network: what the file should hold, for messages.
    """

    def __init__(self, arrays, network):
        self.network = network
        self.filled = []
        self._rest = dict(arrays)

    def fill(self, variable, name, transpose=None):
        """Assigns the array of a name, transposed to Keras's layout; raises SodkerasError if it does not fit."""
        if name not in self._rest:
            raise SodkerasError(f"The state dict is not that of {self.network}. Received: no {name!r}")
        value = self._rest.pop(name)
        if transpose is not None and value.ndim == len(transpose):
            value = value.transpose(transpose)
        # A slope is stored flat.
        if value.ndim == 1 and value.size == variable.shape[-1]:
            value = value.reshape(variable.shape)
        if tuple(variable.shape) != value.shape:
            raise SodkerasError(
                f"The checkpoint does not fit {self.network}: {name} should be {tuple(variable.shape)}. "
                f"Received: {value.shape}"
            )
        variable.assign(value)
        self.filled.append(name)

    def fill_conv(self, conv, name):
        """Fills kernel and bias, if there is one, of a convolution; a depthwise one, too."""
        depthwise = type(conv).__name__ == "DepthwiseConv2D"
        self.fill(conv.kernel, f"{name}.weight", (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        if conv.use_bias:
            self.fill(conv.bias, f"{name}.bias")

    def fill_norm(self, norm, name):
        """Fills a batch norm, or a group norm, which has no statistics."""
        self.fill(norm.gamma, f"{name}.weight")
        self.fill(norm.beta, f"{name}.bias")
        if hasattr(norm, "moving_mean"):
            self.fill(norm.moving_mean, f"{name}.running_mean")
            self.fill(norm.moving_variance, f"{name}.running_var")
            self._rest.pop(f"{name}.num_batches_tracked", None)

    def fill_unit(self, unit, conv_name, norm_name):
        """Fills a `ConvNorm`."""
        self.fill_conv(unit.conv, conv_name)
        self.fill_norm(unit.norm, norm_name)

    def take(self, name):
        """The array of a name, which counts as filled."""
        if name not in self._rest:
            raise SodkerasError(f"The state dict is not that of {self.network}. Received: no {name!r}")
        self.filled.append(name)
        return self._rest.pop(name)

    def finish(self, ignore=()):
        """Raises SodkerasError for arrays left over, but those whose names start with one of `ignore`.

        Returns:
            The sorted names of those ignored.
        """
        ignored = sorted(name for name in self._rest if name.startswith(tuple(ignore))) if ignore else []
        left = sorted(set(self._rest) - set(ignored))
        if left:
            raise SodkerasError(f"The state dict has names that {self.network} lacks. Received: {left[:3]} …")
        return ignored
