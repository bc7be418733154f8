"""U²-Net, from scratch.

Paper: Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition
2020.

    sodkeras train --recipe=u2net --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/u2net

Settings of the released code: DUTS-TR with each picture also mirrored (21,106), resized to 320×320, flipped up-down in
half the cases, cropped to 288×288, batch 12, Adam with learning rate 1e-3, β (0.9, 0.999), ε 1e-8, no weight decay, no
schedule, about 600,000 steps; the sum of seven binary cross-entropies, all with weight 1; masks resized by nearest
neighbour and not softened; a picture is divided by its own maximum.

Where paper and code differ, the code is followed: mean instead of summed cross-entropy; weights that begin as
U(±1/√fan_in) (--set=arguments.kernel_initializer=glorot_uniform for the paper's Xavier). Here pictures are mirrored at
random instead of beforehand, so that 684 epochs of 879 steps are as many steps.

Expect maxF .951 / MAE .033 on ECSSD (paper). 44 M parameters and 58.6 G multiply-adds a picture at 320×320, times
three in training: for a large GPU.

--short: 96×96 cropped to 88×88, batch 8, 10 epochs. Not for a small memory: seven maps and 44 M weights with Adam's two
moments.
"""

SETTINGS = {
    "model": "U2Net",
    "arguments": {"variant": "full"},
    "size": (320, 320),
    "augmentation": {"left_right": 0.5, "up_down": 0.5, "crop_to": (288, 288)},
    "masks": "nearest",
    "batch": 12,
    "epochs": 684,
    "loss": "bce",
    "optimizer": "adam",
    "optimizer_arguments": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
    "learning_rate": 1e-3,
    "schedule": "constant",
}

SHORT = {
    "size": (96, 96),
    "augmentation": {"left_right": 0.5, "crop_to": (88, 88)},
    "batch": 8,
    "epochs": 10,
    "re_estimate": 30,
}
