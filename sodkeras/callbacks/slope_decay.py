"""From PReLU to ReLU: slopes that fall to zero while a network is trained, and the ReLU network that is left."""

import keras
from keras import ops


def slope_layers(model):
    """The PReLUs of a model, those inside composite layers too."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.PReLU)]


class SlopeDecay(keras.callbacks.Callback):
    """Takes every PReLU's slopes to zero in equal steps, while all else is trained: a network with ReLU comes of it.

    In 8 bits ReLU costs nothing, PReLU a good deal (`sodkeras.tflite.prelu`). A trained network whose PReLUs are made
    ReLUs at once finds nothing any more (benchmarks/NOTES.md); with slopes that fall over some hundred steps it learns
    to do without. `rectified` gives the ReLU network. Use it with plain `model.fit`.

    Each step of the optimizer is followed by α ← α · (steps - t) / (steps - t + 1), t being its number, 1 the first; so
    α would fall in a line if it were not trained, and from step number `steps` on it is zero. The steps that the
    optimizer made before count, as when training goes on from a checkpoint.

    Args:
        steps: optimizer steps until the slopes are zero, at least 1.

    Raises:
        ValueError: for fewer steps, or, when training begins, for a network without PReLU.
    """

    def __init__(self, steps):
        super().__init__()
        if steps < 1:
            raise ValueError(f"SlopeDecay takes the slopes to zero in one step at least. Received: steps={steps}")
        self.steps = steps
        self._before = {}

    def on_train_begin(self, logs=None):
        variables = [layer.alpha for layer in slope_layers(self.model)]
        if not variables:
            raise ValueError(f"SlopeDecay is for networks with PReLU. Received: {self.model.name}")
        self._before = [(variable, variable.constraint) for variable in variables]
        # A constraint is part of the optimizer's step, on every backend, under tf.distribute and within a graph.
        for variable in variables:
            variable.constraint = self._smaller
        self.model.make_train_function(force=True)

    def on_train_end(self, logs=None):
        for variable, constraint in self._before:
            variable.constraint = constraint
        self.model.train_function = None

    def _smaller(self, slopes):
        # Keras counts the step behind the constraints.
        left = self.steps - 1 - ops.cast(self.model.optimizer.iterations, "float32")
        return slopes * ops.cast(ops.maximum(left, 0) / ops.maximum(left + 1, 1), slopes.dtype)


def largest_slope(model):
    """The largest |α| of a model's PReLUs; 0 without any."""
    return max((float(ops.max(ops.abs(layer.alpha))) for layer in slope_layers(model)), default=0.0)


def rectified(model):
    """The network with ReLU that computes what one with PReLU does whose slopes are all zero.

    Args:
        model: a network with the argument `activation`, as `sodkeras.models.CSNet`.

    Raises:
        ValueError: if a slope is not zero, or the network has no such argument.
    """
    config = model.get_config()
    if config.get("activation") != "prelu":
        raise ValueError(f"rectified takes a network with activation='prelu'. Received: {config.get('activation')!r}")
    if slope := largest_slope(model):
        raise ValueError(f"The slopes must be zero first, see SlopeDecay. Received: a slope of {slope:.3g}")
    slopes = {id(layer.alpha) for layer in slope_layers(model)}
    relu = type(model).from_config(config | {"activation": "relu"})
    relu.set_weights([ops.convert_to_numpy(weight) for weight in model.weights if id(weight) not in slopes])
    return relu
