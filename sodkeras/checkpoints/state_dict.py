"""Filling layers from a PyTorch state dict, array by array, so that in the end nothing is missing or left over."""

import keras
import numpy as np

from sodkeras.errors import SodkerasError


class StateDict:
    """Takes arrays out of a state dict one by one; `finish` assigns them, so that a file that does not fit changes
    nothing.

    Args:
        arrays: names to NumPy arrays in PyTorch's layout.
        network: what the file should hold, for messages.
    """

    def __init__(self, arrays, network):
        self.network = network
        self._rest = dict(arrays)
        self._assignments = []

    def fill(self, variable, name, transpose=None):
        """Assigns the array of a name, transposed to Keras's layout; raises SodkerasError if it does not fit."""
        value = self.take(name)
        if transpose is not None and value.ndim == len(transpose):
            value = value.transpose(transpose)
        # A slope is stored flat.
        if value.ndim == 1 and value.size == variable.shape[-1]:
            value = value.reshape(variable.shape)
        self.assign(variable, value, name)

    def assign(self, variable, value, name):
        """Assigns an array that was taken; raises SodkerasError if its shape is another."""
        if tuple(variable.shape) != value.shape:
            raise SodkerasError(
                f"The checkpoint does not fit {self.network}: {name} should be {tuple(variable.shape)}. "
                f"Received: {value.shape}"
            )
        self._assignments.append((variable, value))

    def fill_conv(self, conv, name):
        """Fills kernel and bias, if there is one, of a convolution; a depthwise one, too."""
        depthwise = isinstance(conv, keras.layers.DepthwiseConv2D)
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

    def fill_octave(self, convs, name):
        """Fills convolutions between scales from one array: its rows by output scale, its columns by input scale.

        Args:
            convs: a dict of paths, "0to1" from scale 0 to 1, to convolutions; every input scale with every output's.
            name: of the array.
        """
        whole = self.take(name)
        paths = {tuple(map(int, path.split("to"))): conv.kernel for path, conv in convs.items()}
        inputs = dict(sorted((i, kernel.shape[2]) for (i, _), kernel in paths.items()))
        outputs = dict(sorted((j, kernel.shape[3]) for (_, j), kernel in paths.items()))
        size = next(iter(paths.values())).shape[:2]
        if whole.shape != (sum(outputs.values()), sum(inputs.values()), *size):
            raise SodkerasError(
                f"The checkpoint does not fit {self.network}: {name} should be "
                f"{(sum(outputs.values()), sum(inputs.values()), *size)}. Received: {whole.shape}"
            )
        for j, rows in zip(outputs, np.split(whole, np.cumsum([*outputs.values()])[:-1], axis=0), strict=True):
            for i, kernel in zip(inputs, np.split(rows, np.cumsum([*inputs.values()])[:-1], axis=1), strict=True):
                self.assign(paths[i, j], kernel.transpose(2, 3, 1, 0), name)

    def fill_unit(self, unit, conv_name, norm_name):
        """Fills a `ConvNorm`."""
        self.fill_conv(unit.conv, conv_name)
        self.fill_norm(unit.norm, norm_name)

    def take(self, name):
        """The array of a name, which is then no longer left over."""
        if name not in self._rest:
            raise SodkerasError(f"The state dict is not that of {self.network}. Received: no {name!r}")
        return self._rest.pop(name)

    def finish(self, ignore=()):
        """Makes all assignments; raises SodkerasError for arrays left over whose names start with none of `ignore`.

        Returns:
            The variables filled, and the sorted names of the arrays ignored.
        """
        ignored = sorted(name for name in self._rest if name.startswith(tuple(ignore)))
        left = sorted(set(self._rest) - set(ignored))
        if left:
            raise SodkerasError(f"The state dict has names that {self.network} lacks. Received: {left[:3]} …")
        for variable, value in self._assignments:
            variable.assign(value)
        return [variable for variable, _ in self._assignments], ignored
