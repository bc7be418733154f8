"""What every network has in common: preprocessing, one-map inference, one mask for several outputs."""

import os
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import tree

from sodkeras.errors import SodkerasError
from sodkeras.layers.normalised_activation import kept_statistics
from sodkeras.losses import pixel_weights
from sodkeras.preprocessing import Preprocessing


def _as_preprocessing(value):
    return value if isinstance(value, Preprocessing) else Preprocessing.from_dict(dict(value or {}))


# What resizing may add to a mask of 1.
_ROUNDING = 1e-5


class SaliencyModel(keras.Model):
    """Base class of the networks: a functional graph, built in the subclass's constructor.

    The training model's outputs are **logits** at the input's size, in a dict whose first entry is the result and
    whose keys end in `_logits`; `inference_model()` shares the weights and gives the saliency map in [0, 1].

    `fit(pictures, masks)` with one mask `[B, H, W, 1]` in [0, 1] per picture trains every output on it (deep
    supervision); compile with one loss from logits, which then serves every output:
    `model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))`. A sample weight is one number a
    picture, `[B]`, or a pixel, `[B, H, W, 1]`.

    Masks of 0 to 255 would train the network to nonsense without a word. Those that `fit`, `evaluate`, `train_on_batch`
    and `test_on_batch` are given as arrays or tensors are looked at, all of them, before the first step, and
    `compute_loss` looks at NumPy arrays; a SodkerasError is raised for values outside [0, 1]. Batches of a data set
    or a generator are not looked at: that would cost each step time; the data sets of `sodkeras.data` keep the range.

    Args:
        inputs, outputs: the graph; outputs as described above.
        preprocessing: what the network expects of a picture: a `Preprocessing` or its dict. It is saved with the
            weights.
    """

    #: What the names of its backbone's layers start with; None for a network that has no backbone.
    backbone: str | None = None
    #: False: `fit` trains the network as it is used, batch norms with the statistics that they have.
    batch_statistics = True

    def __init__(
        self,
        inputs: Any,
        outputs: dict[str, keras.KerasTensor],
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.preprocessing = _as_preprocessing(preprocessing)

    @classmethod
    def from_preset(cls, name: str | os.PathLike) -> Self:
        """A trained network.

        Args:
            name: a preset's name, "csnet_l_x2"; a folder that `save_to_preset` wrote; or the path of a .keras file.

        Raises:
            SodkerasError: as `sodkeras.load_model`, and for a network of another class.

        Example:
            >>> model = CSNet.from_preset("csnet_l_x2")
        """
        from sodkeras.weights import load_model

        model = load_model(name)
        if not isinstance(model, cls):
            raise SodkerasError(f"It is a {type(model).__name__} and no {cls.__name__}. Received: {name}")
        return model

    def save_to_preset(self, folder: str | os.PathLike) -> None:
        """Writes preset.json, what the network is, and NAME.keras, the network with its weights, into a folder.

        The folder stands for the network wherever a name does: in `from_preset`, `Predictor` and as `--model`.
        """
        from sodkeras.weights import save_preset

        save_preset(self, folder)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if training and not self.batch_statistics:
            with kept_statistics():
                return super().call(inputs, training=False, mask=mask)
        return super().call(inputs, training=training, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "preprocessing": self.preprocessing.to_dict(),
        }

    @property
    def backbone_variables(self) -> list[keras.Variable]:
        """The backbone's trainable variables, such as for a learning rate of their own; none without a backbone."""
        layers = [layer for layer in self.layers if self.backbone and layer.name.startswith(f"{self.backbone}_")]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def inference_model(self) -> "InferenceModel":
        """A model that shares this one's weights and has one output: the saliency map.

        Returns:
            An `InferenceModel`, `[B, H, W, 3]` to `[B, H, W, 1]` in [0, 1], float32.
        """
        logits = next(iter(self.output.values()))
        saliency = keras.layers.Activation("sigmoid", dtype="float32", name="saliency")(logits)
        return InferenceModel(self.input, saliency, name=f"{self.name}_inference", preprocessing=self.preprocessing)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: dict[str, float] | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        """As `keras.Model.compile`; one loss serves every output.

        `loss_weights` are numbers by output name, or in the outputs' order, the result's first; an output with the
        weight 0 has its loss shown and is not trained by it.
        """
        if loss is not None and not isinstance(loss, (dict, list, tuple)):
            loss = dict.fromkeys(self.output, loss)
        if isinstance(loss_weights, (list, tuple)) and len(loss_weights) == len(self.output):
            loss_weights = dict(zip(self.output, loss_weights, strict=True))
        super().compile(optimizer=optimizer, loss=loss, loss_weights=loss_weights, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Keras leaves a class with a compile() of its own uncompiled, and with it the optimiser's state unread.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def _for_every_output(self, y):
        return y if y is None or tree.is_nested(y) else dict.fromkeys(self.output, y)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """As `keras.Model.fit`; raises SodkerasError for masks outside [0, 1], see the class."""
        _check_masks(y)
        validation = kwargs.get("validation_data")
        if isinstance(validation, (list, tuple)):
            _check_masks(validation[1:2])
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; raises SodkerasError for masks outside [0, 1], see the class."""
        _check_masks(y)
        return super().evaluate(x, y, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.train_on_batch`; raises SodkerasError for masks outside [0, 1], see the class."""
        _check_masks(y)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.test_on_batch`; raises SodkerasError for masks outside [0, 1], see the class."""
        _check_masks(y)
        return super().test_on_batch(x, y, *args, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        # Inside a training step masks are tensors, whose values a graph does not have yet and a GPU would wait for.
        _check_masks([each for each in tree.flatten(y) if isinstance(each, np.ndarray)])
        sample_weight = tree.map_structure(pixel_weights, sample_weight)
        return super().compute_loss(x, self._for_every_output(y), y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        sample_weight = tree.map_structure(pixel_weights, sample_weight)
        return super().compute_metrics(x, self._for_every_output(y), y_pred, sample_weight)


def _check_masks(y):
    """Raises SodkerasError if an array or tensor of masks has values outside [0, 1]."""
    for masks in tree.flatten(y):
        if keras.ops.is_tensor(masks):
            low, high = (float(keras.ops.convert_to_numpy(find(masks))) for find in (keras.ops.min, keras.ops.max))
        elif isinstance(masks, np.ndarray) and masks.size:
            low, high = float(masks.min()), float(masks.max())
        else:
            continue
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also true for NaN
            raise SodkerasError(
                f"Masks to train on have values in [0, 1]; divide those of 0 to 255 by 255. Received: {low + 0:g} to "
                f"{high + 0:g}"
            )


@keras.saving.register_keras_serializable(package="sodkeras")
class InferenceModel(keras.Model):
    """A functional model with one output, the saliency map in [0, 1], that carries its preprocessing."""

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        preprocessing: Preprocessing | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.preprocessing = _as_preprocessing(preprocessing)

    def get_config(self) -> dict[str, Any]:
        # Whether Keras takes a subclass for a graph depends on its version; a plain model is one.
        plain = keras.Model(self.input, self.output, name=self.name)
        return plain.get_config() | {"preprocessing": self.preprocessing.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        config = dict(config)
        preprocessing = config.pop("preprocessing")
        graph = keras.Model.from_config(config, custom_objects=custom_objects)
        return cls(graph.input, graph.output, name=graph.name, preprocessing=preprocessing)

    def inference_model(self) -> Self:
        """Itself: so that a saved inference model goes wherever a training model goes."""
        return self
