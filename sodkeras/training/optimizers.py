"""What a run's settings mean to Keras: loss, learning rate, optimizer, weight decay."""

from typing import Any, Self

import keras
from keras import ops

from sodkeras import losses
from sodkeras.callbacks import exempt_gammas
from sodkeras.errors import SodkerasError
from sodkeras.training.settings import Settings


def make_loss(settings: Settings) -> keras.losses.Loss:
    """The loss, from logits.

    Raises:
        SodkerasError: for arguments that it does not take.
    """
    arguments = dict(settings.loss_arguments)
    factors = arguments.pop("factors", None)
    try:
        overlap = losses.IntersectionOverUnionFromLogits(**arguments)
        terms = {
            "bce": keras.losses.BinaryCrossentropy(from_logits=True),
            "ssim": losses.StructuralSimilarityFromLogits(),
            "iou": overlap,
        }
        used = [terms[name] for name in settings.loss.split("_")]
        return used[0] if len(used) == 1 else losses.WeightedSum(used, factors)
    except (TypeError, ValueError) as error:
        raise SodkerasError(
            f"The loss {settings.loss} cannot have these arguments ({error}). Received: {settings.loss_arguments}"
        ) from None


@keras.saving.register_keras_serializable(package="sodkeras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly from zero, and then follows another schedule from its beginning.

    Args:
        steps: of the rise.
        then: the schedule behind it.
    """

    def __init__(self, steps: int, then: Any) -> None:
        super().__init__()
        self.steps = steps
        self.then = then

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rising = ops.convert_to_tensor(self.then(0)) * (step / self.steps)
        return ops.where(step < self.steps, rising, self.then(ops.maximum(step - self.steps, 0)))

    def get_config(self) -> dict:
        return {"steps": self.steps, "then": keras.optimizers.schedules.serialize(self.then)}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        return cls(config["steps"], keras.optimizers.schedules.deserialize(config["then"]))


def make_schedule(settings: Settings, steps_per_epoch: int) -> Any:
    """The learning rate as a function of the optimizer's step.

    Args:
        steps_per_epoch: batches an epoch; the optimizer makes a step for each `settings.accumulate` of them.

    Raises:
        SodkerasError: for arguments that the schedule does not take.
    """
    schedules = keras.optimizers.schedules

    def steps(epochs):
        return round(epochs * steps_per_epoch / settings.accumulate)

    rate, arguments = settings.learning_rate, dict(settings.schedule_arguments)
    warm_up = steps(settings.warm_up_epochs)
    rest = max(1, steps(settings.epochs) - warm_up)
    if settings.schedule == "constant":
        schedule = schedules.ExponentialDecay(rate, 1, decay_rate=1.0)
    elif settings.schedule == "steps":
        at, factor = arguments.pop("at", ()), arguments.pop("factor", 0.1)
        if not at:
            raise SodkerasError(f"The schedule steps needs epochs, at. Received: {settings.schedule_arguments}")
        # Keras changes the rate behind a boundary, the papers at it.
        boundaries = [steps(epoch) - warm_up - 1 for epoch in at]
        schedule = schedules.PiecewiseConstantDecay(boundaries, [rate * factor**k for k in range(len(at) + 1)])
    elif settings.schedule == "cosine":
        schedule = schedules.CosineDecay(rate, rest)
    else:
        power = arguments.pop("power", 0.9)
        schedule = schedules.PolynomialDecay(rate, rest, end_learning_rate=0.0, power=power)
    if arguments:
        raise SodkerasError(f"The schedule {settings.schedule} does not take these arguments. Received: {arguments}")
    return WarmUp(warm_up, schedule) if warm_up else schedule


def make_optimizer(settings: Settings, model: keras.Model, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer, built for the model's weights.

    Coupled weight decay is PyTorch's `weight_decay`: rate · w is added to the gradient of w, behind clipping and before
    the momentum. It is no term of the loss, which stays comparable between settings and between training and
    validation.

    Raises:
        SodkerasError: for arguments that it does not take, or a network without what the settings speak of.
    """
    base = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[settings.optimizer]
    arguments = dict(settings.optimizer_arguments)
    arguments["learning_rate"] = make_schedule(settings, steps_per_epoch)
    coupled = settings.weight_decay if settings.decay_form == "coupled" else 0.0
    if settings.weight_decay and not coupled:
        arguments["weight_decay"] = settings.weight_decay
    if settings.clip_norm:
        arguments["global_clipnorm"] = settings.clip_norm
    if settings.ema_momentum:
        arguments |= {"use_ema": True, "ema_momentum": settings.ema_momentum}
    if settings.accumulate > 1:
        arguments["gradient_accumulation_steps"] = settings.accumulate
    slow = model.backbone_variables if settings.backbone_rate != 1 else []
    if settings.backbone_rate != 1 and not slow:
        raise SodkerasError(f"This network has no backbone to have a backbone_rate. Received: {settings.model}")
    if coupled or slow:
        base = _with_groups(base, coupled, _exempt(settings, model), settings.backbone_rate, slow)
    try:
        optimizer = base(**arguments)
    except (TypeError, ValueError) as error:
        raise SodkerasError(
            f"The optimizer {settings.optimizer} cannot have these arguments ({error}). "
            f"Received: {settings.optimizer_arguments}"
        ) from None
    # Variables made while a graph is traced make TensorFlow trace it twice.
    optimizer.build(model.trainable_variables)
    # fit would leave the moving averages in the model at its end; here they are put into what is saved alone.
    optimizer.finalize_variable_values = lambda variables: None
    return optimizer


def _with_groups(base, decay, exempt, factor, slow):
    """A Keras optimizer class with coupled decay of all but some variables, and another learning rate for some."""
    exempt, slow = ({id(variable) for variable in group} for group in (exempt, slow))

    class WithGroups(base):
        def build(self, variables):
            super().build(variables)
            self.decays = [0.0 if id(variable) in exempt else decay for variable in variables]
            self.factors = [factor if id(variable) in slow else 1.0 for variable in variables]

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            if self.decays[index]:
                gradient = ops.add(gradient, ops.multiply(ops.cast(self.decays[index], gradient.dtype), variable))
            super().update_step(gradient, variable, learning_rate * self.factors[index])

    return WithGroups


def _exempt(settings, model):
    """The variables that coupled decay leaves alone."""
    if settings.decay_exempt == "none":
        return []
    try:
        return exempt_gammas(model, double_decay=settings.decay_exempt == "released_gammas")
    except ValueError as error:
        raise SodkerasError(f"This network has no γ to exempt ({error}) Received: {settings.decay_exempt}") from None
