"""A network that is trained already, taught what is salient in your pictures.

    sodkeras train --recipe=fine_tune --model=runs/first/best.keras --data=mine --out=runs/mine

--model is a .keras file of `sodkeras train` or `sodkeras weights import`. (U²-Net's released files have lost their
batch norm's statistics; import them with --pictures=FOLDER first.) The network keeps its own size and preprocessing.

Settings: BCE + IoU, Adam at a hundredth of what a network begins with, falling along a cosine; flips, small crops and
mild changes of colour. A few hundred pictures are enough to see a difference; keep some of the pictures that the
network knew well among them, or it forgets those.

--short: 5 epochs.
"""

SETTINGS = {
    "batch": 16,
    "epochs": 30,
    "loss": "bce_iou",
    "learning_rate": 1e-4,
    "schedule": "cosine",
    "warm_up_epochs": 0.5,
    "clip_norm": 1.0,
    "augmentation": {
        "left_right": 0.5,
        "crop_share": 0.15,
        "brightness": 0.1,
        "contrast": 0.2,
        "saturation": 0.2,
    },
}

SHORT = {"epochs": 5}
