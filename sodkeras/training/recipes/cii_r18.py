"""CII on ResNet-18.

Paper: Liu et al., "Centralized Information Interaction for Salient Object Detection", IEEE Transactions on Image
Processing 2021.

    sodkeras train --recipe=cii_r18 --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/cii_r18

Settings of the paper: DUTS-TR, 352×352, batch 30, 32 epochs, random flips and crops (of up to 12.5 % of either side in
the released code), binary cross-entropy plus overlap (1 - IoU of each picture) with equal weights; SGD with momentum
0.9, weight decay 5e-5, a learning rate that rises for 8 epochs to .05, .005 for the backbone, and falls as a cosine
for 24; the backbone begins with ImageNet weights.

The trainer was never released; what was released has other settings: Nesterov momentum and weight decay 5e-4
(--set=optimizer_arguments.nesterov=true --set=weight_decay=5e-4), flips commented out
(--set=augmentation.left_right=0), the overlap summed over the whole batch and smoothed by 1
(--set=loss_arguments.over=batch --set=loss_arguments.smoothing=1). The paper does not state the shape of the rise; it
is linear here.

Expect maxF .941 / MAE .039 on ECSSD (paper, 1.5 hours on one RTX 2080 Ti). 11,264 steps.

--short: 96×96, batch 8, 10 epochs, and no ImageNet weights, so that nothing is downloaded; with them
(--set=backbone_weights=resnet18, or the file) it learns far more from few pictures.
"""

SETTINGS = {
    "model": "CII",
    "arguments": {"depth": 18},
    "size": (352, 352),
    "backbone_weights": "resnet18",
    "augmentation": {"left_right": 0.5, "crop_share": 0.125},
    "batch": 30,
    "epochs": 32,
    "loss": "bce_iou",
    "optimizer": "sgd",
    "optimizer_arguments": {"momentum": 0.9},
    "learning_rate": 0.05,
    "backbone_rate": 0.1,
    "schedule": "cosine",
    "warm_up_epochs": 8,
    "weight_decay": 5e-5,
}

SHORT = {
    "size": (96, 96),
    "backbone_weights": None,
    "backbone_rate": 1.0,
    "batch": 8,
    "epochs": 10,
    "learning_rate": 0.02,
    "warm_up_epochs": 2,
    "re_estimate": 30,
}
