"""CSNet ×1, from scratch.

Papers: Gao et al., "Highly Efficient Salient Object Detection with 100K Parameters", ECCV 2020; Cheng et al., TPAMI
2021.

    sodkeras train --recipe=csnet --data=DUTS-TR --test=DUTS-TE --test=ECSSD --out=runs/csnet

Settings of the papers and their released code: DUTS-TR (10,553 pictures), 224×224, batch 24, 300 epochs, Adam with
β (0.9, 0.99), learning rate 1e-4, a tenth of it from epoch 200 and again from epoch 250, coupled weight decay 5e-3,
binary cross-entropy against soft masks.

Where paper and code differ, the code is followed: a crop of up to 15 pixels at each border; a flip in half the cases,
of these half left-right and half up-down (the papers name crops and flips only); weight decay acts on biases and PReLU
slopes, too. Dynamic weight decay, with which the released networks were trained to be pruned, is the recipe
csnet_prune.

Expect maxF .900 / MAE .077 on ECSSD (papers, unpruned ×1). It takes 131,700 steps.

--short: 96×96, batch 16, 30 epochs at a learning rate of 5e-3 that falls along a cosine, for a few hundred pictures.
training/benchmarks/learn_horses.py: 432 pictures (people, and half of the Weizmann horses) gave maxF .877 / MAE .106 on
the other horses, in 18 minutes on two busy cores.
"""

SETTINGS = {
    "model": "CSNet",
    "arguments": {"width": 1.0},
    "size": (224, 224),
    "augmentation": {"left_right": 0.25, "up_down": 0.25, "one_flip": True, "border_crop": 15},
    "batch": 24,
    "epochs": 300,
    "loss": "bce",
    "optimizer": "adam",
    "optimizer_arguments": {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8},
    "learning_rate": 1e-4,
    "schedule": "steps",
    "schedule_arguments": {"at": [200, 250], "factor": 0.1},
    "weight_decay": 5e-3,
    "decay_form": "coupled",
}

SHORT = {
    "size": (96, 96),
    "batch": 16,
    "epochs": 30,
    "learning_rate": 5e-3,
    "schedule": "cosine",
    "schedule_arguments": {},
    "augmentation": {"left_right": 0.5, "border_crop": 15},
    "re_estimate": 30,
}
