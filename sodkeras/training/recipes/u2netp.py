"""U²-Net†, the small one, from scratch; settings of the recipe u2net.

Paper: Qin et al., Pattern Recognition 2020.

    sodkeras train --recipe=u2netp --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/u2netp

Expect maxF .943 / MAE .041 on ECSSD (paper). 1.13 M parameters, 19.8 G multiply-adds a picture at 320×320.

--short: as u2net's. To train the released network on instead of beginning from nothing, give it its weights (after
`sodkeras weights fetch` and `sodkeras weights import`): --set=initial_weights=u2netp.keras --learning_rate=1e-4
"""

from sodkeras.training.recipes import u2net

SETTINGS = u2net.SETTINGS | {"arguments": {"variant": "small"}}

SHORT = u2net.SHORT
