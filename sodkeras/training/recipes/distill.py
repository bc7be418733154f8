"""CSNet ×1 that learns from a teacher's maps, then pruned and fine-tuned: small weights from few labelled pictures.

    sodkeras pseudo-label photos/ --out=labelled
    sodkeras train --recipe=distill --data=labelled --data=DUTS-TR --out=runs/distill

Few pictures become more, if the teacher labels new ones made of their parts and objects, too:

    sodkeras data labelled DUTS-TR --make_scenes=scenes --count=6000
    sodkeras pseudo-label scenes/images --out=scenes_labelled
    sodkeras train --recipe=distill --data=labelled --data=DUTS-TR --data=scenes_labelled --out=runs/more

The teacher, U²-Net as released, labels pictures that have no masks; its maps stay soft, and those that it is unsure of
weigh less (`sodkeras pseudo-label`). Sets with masks by hand go beside them. Objects of sure pairs are pasted into
other pictures, things grow and shrink, and colours change: a thousand pictures are few.

The network is that of the recipe csnet_prune and is trained as there, but with BCE + IoU, at a tenth of the papers'
weight decay, at a higher rate that falls along a cosine, and at 128×128 until it is pruned: three channels in ten of
each layer and scale go, those with the smallest |γ|, and all with |γ| < 1e-20. What is left is fine-tuned at 224×224.
After --short that left a quarter of the channels: λ = 3 switches off many where γ move as fast as here. What a smaller
one leaves (--set=dynamic_decay=0.3) was not measured.

Expect what your pictures are worth: the weights that come with this package and their cards say what it gave with what.

--short: 20 + 8 epochs; 71 minutes for 1,518 pictures on two cores that did other work, too.
"""

from sodkeras.training.recipes import csnet, csnet_prune

SETTINGS = csnet.SETTINGS | {
    "size": (128, 128),
    "batch": 24,
    "epochs": 300,
    "loss": "bce_iou",
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "schedule_arguments": {},
    "warm_up_epochs": 1.0,
    "weight_decay": 5e-4,
    "augmentation": {
        "left_right": 0.5,
        "border_crop": 15,
        "scale": (0.8, 1.4),
        "paste": 0.25,
        "brightness": 0.15,
        "contrast": 0.3,
        "saturation": 0.4,
        "hue": 8,
    },
    "validation_share": 0.05,
    "dynamic_decay": csnet_prune.SETTINGS["dynamic_decay"],
    "dynamic_decay_form": "coupled",
    "decay_exempt": "gammas",
    "prune": {"criterion": "gamma", "ratio": 0.3},
    "fine_tune": {"epochs": 100, "size": (224, 224), "learning_rate": 1e-3},
    "re_estimate": 30,
}

SHORT = {
    "batch": 16,
    "epochs": 20,
    "learning_rate": 5e-3,
    "fine_tune": {"epochs": 8, "size": (224, 224), "learning_rate": 2e-3},
}
