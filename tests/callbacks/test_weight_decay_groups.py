"""Plain weight decay beside the dynamic one."""

import re

import keras
import numpy as np

from sodkeras.callbacks import exempt_gammas, set_weight_decay
from sodkeras.models import CSNet


def test_groups_are_the_released_recipes():
    model = CSNet()
    assert len(exempt_gammas(model)) == 99
    released = exempt_gammas(model, double_decay=True)
    assert len(released) == 66
    # The released filter names the gOctConvs and the first 3×3 units, the latter twice.
    assert {re.search(r"stage\d_\d_(\w+)_bn\d", gamma.path)[1] for gamma in released} == {"mix", "unit1"}


def test_decay_is_added_to_the_gradient_except_for_the_exempt():
    keras.utils.set_random_seed(0)
    picture = keras.Input((4, 4, 3))
    norm = keras.layers.BatchNormalization()
    model = keras.Model(picture, keras.layers.Conv2D(2, 1)(norm(keras.layers.Conv2D(2, 3)(picture))))
    model.compile(keras.optimizers.SGD(0.1), lambda y_true, y_pred: 0 * keras.ops.mean(y_pred))
    data = {"x": np.ones((2, 4, 4, 3), "float32"), "y": np.zeros((2, 2, 2, 2), "float32"), "verbose": 0}
    model.fit(**data)  # traced without decay
    before = [variable.numpy() for variable in model.trainable_variables]
    set_weight_decay(model, 0.5, exempt=[norm.gamma])
    model.fit(**data)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        factor = 1 if variable is norm.gamma else 1 - 0.1 * 0.5
        np.testing.assert_allclose(variable, factor * old, rtol=1e-6)
    after = [variable.numpy() for variable in model.trainable_variables]
    set_weight_decay(model, 0)
    model.fit(**data)
    for variable, old in zip(model.trainable_variables, after, strict=True):
        np.testing.assert_array_equal(variable, old)
