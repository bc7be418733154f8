"""Dynamic weight decay: batch norm scales that decay the faster the more their channel is active."""

import collections
import threading
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras.models.csnet import CSNet

#: A channel is counted as gone where |γ| is smaller (ECCV 2020, Sec. 3.3).
THRESHOLD = 1e-20


def mean_activity(y: Any) -> Any:
    """The papers' metric, global average pooling of each channel (ECCV 2020, Eq. 4), averaged over the batch.

    As in the released code it is the magnitude of the average; the print has no |·|, and behind a PReLU the average may
    be negative, which would make γ grow.

    Args:
        y: a unit's output, `[B, H, W, C]`.

    Returns:
        `[C]`.
    """
    return ops.mean(ops.abs(ops.mean(y, axis=(1, 2))), axis=0)


def block_units(model: keras.Model) -> list[tuple[keras.layers.BatchNormalization, keras.layers.Layer]]:
    """The units that the papers decay: those of every in-layer block of a `CSNet`, not of its fusion.

    Returns:
        A list of (batch norm, activation layer behind it).
    """
    if not isinstance(model, CSNet):
        raise ValueError(
            "DynamicWeightDecay knows the units of a CSNet; for another network pass units, a list of (batch norm, "
            f"activation layer behind it). Received: {type(model).__name__}"
        )
    return [
        (unit.norms[scale], unit.activations[scale])
        for layer in model.layers
        if layer.name.startswith("stage")
        for unit in (layer.mix, layer.unit1, layer.unit2)
        for scale in unit.norms
    ]


class DynamicWeightDecay(keras.callbacks.Callback):
    """Decays the scale γ of batch norms by how active their channels are, so that idle channels end at γ = 0.

    Source: Gao et al., ECCV 2020, Sec. 3.3; use it with plain `model.fit`. With S_c the metric of channel c,
    taken from the training step's own forward pass and not differentiated through:

    - `form="coupled"` (the released code) adds to the loss

          R = λ · ½ · Σ_c S_c · γ_c²

      so that λ · S_c · γ_c is added to γ's gradient and goes through the optimiser. The term is part of the reported
      training loss, not of the validation loss.
    - `form="decoupled"` (Eq. 3) acts after the optimiser's step. α is its learning rate, which the print leaves out:

          γ_c ← γ_c - α · λ · S_c · γ_c

    Under `tf.distribute` S is the mean over the replicas. With `steps_per_execution` or in a graph it acts at every
    step; the schedule moves once an epoch. Attach one such callback a model.

    At the end of an epoch `logs` gets "gamma_sparsity", the share of the decayed γ under 1e-20 in magnitude, and with
    `monitor` "channel_deviation", the standard deviation of S among a unit's channels, averaged over units (Fig. 4a of
    the paper). `history` has for each epoch these two and the γ histogram, as `(counts, edges)` of `numpy.histogram`.

    Args:
        strength: λ, or a function from the epoch, 0 the first, to λ; 0 switches the decay off, as for fine-tuning.
        form: "coupled" or "decoupled" (the latter on the TensorFlow backend).
        units: the pairs of batch norm and the activation layer behind it, whose output is measured; default those of
            `block_units`.
        metric: a function from a unit's output `[B, H, W, C]` to S `[C]`, a mean over the batch; default
            `mean_activity`.
        monitor: a batch of pictures, preprocessed, to measure the deviation among channels on.

    Raises:
        ValueError: for another form, or without units for a network that is no CSNet.
    """

    def __init__(
        self,
        strength: float | Callable[[int], float] = 3.0,
        form: str = "coupled",
        units: Sequence[tuple[keras.layers.BatchNormalization, keras.layers.Layer]] | None = None,
        metric: Callable[[Any], Any] = mean_activity,
        monitor: Any = None,
    ) -> None:
        super().__init__()
        if form not in ("coupled", "decoupled"):
            raise ValueError(f"DynamicWeightDecay has the forms 'coupled' and 'decoupled'. Received: {form!r}")
        if form == "decoupled" and keras.backend.backend() != "tensorflow":
            raise ValueError(f"The decoupled form needs the TensorFlow backend. Received: {keras.backend.backend()}")
        self.strength = strength
        self.form = form
        self.units = units
        self.metric = metric
        self.monitor = monitor
        self.history: list[dict[str, Any]] = []
        # The replicas of a mirrored strategy run in threads of their own, and take turns within one forward pass.
        self._measured: collections.defaultdict[int, dict[int, Any]] = collections.defaultdict(dict)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        model = self.model
        self._pairs = list(block_units(model) if self.units is None else self.units)
        with _scope(model):
            self._strength = keras.Variable(self._strength_at(0), trainable=False, dtype="float32", name="strength")
        self._detach()  # from a training that was interrupted
        for index, (_, layer) in enumerate(self._pairs):
            layer.activity_regularizer = _Tap(self._record, index, layer.activity_regularizer)
        if self.form == "coupled":
            self._compute_loss_before = model.compute_loss
            model.compute_loss = self._compute_loss
        else:
            self._train_step_before = model.train_step
            model.train_step = self._train_step
        # A step that was traced before knows nothing of this.
        model.make_train_function(force=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._detach()
        self.model.train_function = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        before, now = float(ops.convert_to_numpy(self._strength)), np.float32(self._strength_at(epoch))
        self._strength.assign(now)
        if before != now and keras.backend.backend() == "jax":  # its compiled steps hold the value, not the variable
            self.model.make_train_function(force=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        magnitudes = np.abs(np.concatenate([ops.convert_to_numpy(norm.gamma) for norm, _ in self._pairs]))
        # In float32 the histogram's edges could not be told apart while all γ are still near 1.
        magnitudes = magnitudes.astype("float64")
        record = {
            "gamma_sparsity": float((magnitudes < THRESHOLD).mean()),
            "gamma_histogram": np.histogram(magnitudes, bins=50),
        }
        if self.monitor is not None:
            self.model(self.monitor, training=False)
            measured = self._measured.pop(threading.get_ident())
            record["channel_deviation"] = float(np.mean([ops.convert_to_numpy(s).std() for s in measured.values()]))
        self.history.append(record)
        if logs is not None:
            logs.update({name: value for name, value in record.items() if isinstance(value, float)})

    def _detach(self):
        for _, layer in self._pairs:
            if isinstance(layer.activity_regularizer, _Tap):
                layer.activity_regularizer = layer.activity_regularizer.regularizer
        for name in ("compute_loss", "train_step"):
            # An attribute of the instance hides the class's method.
            if isinstance(getattr(vars(self.model).get(name), "__self__", None), DynamicWeightDecay):
                delattr(self.model, name)
        self._measured.clear()

    def _strength_at(self, epoch):
        return float(self.strength(epoch) if callable(self.strength) else self.strength)

    def _record(self, index, y):
        """Keeps a unit's S for the rest of this replica's step."""
        # Half precision is too coarse for a mean over many pixels.
        self._measured[threading.get_ident()][index] = ops.stop_gradient(self.metric(ops.cast(y, "float32")))

    def _metrics(self):
        """(γ, S) of every unit, of this replica's last forward pass."""
        measured = self._measured.pop(threading.get_ident())
        return [(norm.gamma, measured[index]) for index, (norm, _) in enumerate(self._pairs)]

    def _compute_loss(self, *args, training=True, **kwargs):
        loss = self._compute_loss_before(*args, training=training, **kwargs)
        metrics = self._metrics()
        if not training:
            return loss
        term = sum(ops.sum(s * ops.square(ops.cast(gamma, "float32"))) for gamma, s in metrics)
        # The replicas' losses are summed.
        return loss + ops.cast(0.5 * self._strength * term / _replicas(), loss.dtype)

    def _train_step(self, data):
        rate = ops.convert_to_tensor(self.model.optimizer.learning_rate)
        logs = self._train_step_before(data)
        metrics = self._metrics()
        shrink = [rate * self._strength * s for _, s in metrics]
        _assign_scaled([gamma for gamma, _ in metrics], shrink)
        return logs


@keras.saving.register_keras_serializable(package="sodkeras")
class _Tap(keras.regularizers.Regularizer):
    """Shows a layer's output to a function, on the way on which Keras shows it to an activity regulariser.

    A layer that is saved during training takes the tap along; read back it shows nothing to nobody.
    """

    def __init__(self, show=None, index=0, regularizer=None):
        self._show = show
        self._index = index
        self.regularizer = regularizer

    def __call__(self, y):
        if self._show is not None:
            self._show(self._index, y)
        return ops.zeros((), "float32") if self.regularizer is None else self.regularizer(y)

    def get_config(self):
        return {}


def _scope(model):
    """Where variables are made that every replica of the model has."""
    if keras.backend.backend() == "tensorflow":
        return model.distribute_strategy.scope()
    return keras.name_scope("dynamic_weight_decay")


def _replicas():
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def _assign_scaled(variables, shrink):
    """v ← v · (1 - the replicas' mean of shrink) in all replicas alike."""
    import tensorflow as tf

    variables = [variable.value for variable in variables]

    def update(strategy, shrink):
        extended = strategy.extended
        for variable, share in zip(variables, shrink, strict=True):
            mean = extended.reduce_to(tf.distribute.ReduceOp.MEAN, share, destinations=variable)
            extended.update(variable, lambda v, s: v.assign(v * (1 - s)), args=(mean,))

    tf.distribute.get_replica_context().merge_call(update, args=(shrink,))
