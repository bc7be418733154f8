"""CSF on Res2Net-50: cross-stage fusion on a pretrained backbone.

Papers: Gao et al., ECCV 2020; Cheng et al., TPAMI 2021.

    sodkeras train --recipe=csf --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/csf

Settings of the released code: DUTS-TR, left-right flips, batch 1 with the gradients of 10 pictures added up, 24 epochs,
Adam with learning rate 5e-5, a tenth of it from epoch 16, coupled weight decay 5e-4, the backbone's batch norm frozen
at its ImageNet statistics.

What differs here: the released code feeds each picture at its own size, which forces a batch of one; here pictures are
300×400, batch 5, two batches a step. Its cross-entropy is summed over the pixels; against their mean, weight decay
5e-4 is 5e-4 / (300 · 400) = 4.2e-9 (Adam's rate stays what it is). It also begins with a new Adam at epoch 16, and
leaves the shortcuts' convolutions frozen by a slip; neither is done here.

Expect maxF .947 / MAE .036 on ECSSD (papers, Res2Net-50), .940 / .041 with ResNet-50
(--set=arguments.backbone=resnet --set=backbone_weights=resnet50).

--short: 96×128, batch 4, 6 epochs, no ImageNet weights and therefore no frozen batch norm.
"""

SETTINGS = {
    "model": "CSFResNet",
    "arguments": {"backbone": "res2net", "depth": 50, "freeze_batch_norm": True},
    "size": (300, 400),
    "backbone_weights": "res2net50",
    "augmentation": {"left_right": 0.5},
    "batch": 5,
    "accumulate": 2,
    "epochs": 24,
    "loss": "bce",
    "optimizer": "adam",
    "optimizer_arguments": {"epsilon": 1e-8},
    "learning_rate": 5e-5,
    "schedule": "steps",
    "schedule_arguments": {"at": [16], "factor": 0.1},
    "weight_decay": 4.2e-9,
}

SHORT = {
    "arguments.freeze_batch_norm": False,
    "size": (96, 128),
    "backbone_weights": None,
    "batch": 4,
    "accumulate": 1,
    "epochs": 6,
    "learning_rate": 1e-3,
    "schedule_arguments": {"at": [4], "factor": 0.1},
    "re_estimate": 30,
}
