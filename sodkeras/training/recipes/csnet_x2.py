"""CSNet ×2, from scratch: twice the channels of the recipe csnet, whose settings it has.

Papers: Gao et al., ECCV 2020; Cheng et al., TPAMI 2021.

    sodkeras train --recipe=csnet_x2 --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/csnet_x2

Expect maxF .915 on ECSSD (papers, unpruned ×2). 131,700 steps, each with 3.5 times the multiply-adds of ×1.

--short: as csnet's, at twice the time or more a step.
"""

from sodkeras.training.recipes import csnet

SETTINGS = csnet.SETTINGS | {"arguments": {"width": 2.0}}

SHORT = csnet.SHORT
