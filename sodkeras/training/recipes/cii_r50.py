"""CII on ResNet-50; settings of the recipe cii_r18.

Paper: Liu et al., IEEE Transactions on Image Processing 2021.

    sodkeras train --recipe=cii_r50 --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/cii_r50

Expect maxF .950 / MAE .034 on ECSSD (paper). 11,264 steps of 30 pictures; 21.7 G multiply-adds a picture at 352×352.
Where memory holds only 10: --batch=10 --set=accumulate=3.

--short: as cii_r18's.
"""

from sodkeras.training.recipes import cii_r18

SETTINGS = cii_r18.SETTINGS | {"arguments": {"depth": 50}, "backbone_weights": "resnet50"}

SHORT = cii_r18.SHORT
