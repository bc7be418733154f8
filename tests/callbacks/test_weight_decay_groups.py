"""Plain weight decay beside the dynamic one."""

import re

from sodkeras.callbacks import exempt_gammas
from sodkeras.models import CSNet


def test_groups_are_the_released_recipes():
    model = CSNet()
    assert len(exempt_gammas(model)) == 99
    released = exempt_gammas(model, double_decay=True)
    assert len(released) == 66
    # The released filter names the gOctConvs and the first 3×3 units, the latter twice.
    assert {re.search(r"stage\d_\d_(\w+)_bn\d", gamma.path)[1] for gamma in released} == {"mix", "unit1"}
