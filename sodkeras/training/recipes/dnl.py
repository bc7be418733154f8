"""DNL, depthwise non-local layers in a MobileNetV2 encoder-decoder.

Paper: Li et al., IEEE Transactions on Cybernetics 2020. Its authors released nothing: network and recipe are
reconstructions.

    sodkeras train --recipe=dnl --data=MSRA-B --data=HKU-IS --test=ECSSD --out=runs/dnl

Settings of the paper: 5,000 pictures (the training sets of MSRA-B and HKU-IS), SGD with momentum 0.9, weight decay
5e-4, an initial learning rate of 1e-7 that falls as (1 - t)^0.9, 300 epochs.

Not stated there, and chosen here: 360×360, batch 8, left-right flips, ImageNet weights for the backbone. A rate of 1e-7
only makes sense for a cross-entropy summed over a picture's pixels; against their mean, as everywhere here, the same
steps are made by 1e-7 · 360² = 0.013 with a weight decay of 5e-4 / 360² = 3.9e-9.

Expect maxF .78 on DUT-OMRON (paper). 187,500 steps.

--short: 96×96 (features of 12×12, three parts), batch 8, 10 epochs, no ImageNet weights.
"""

SETTINGS = {
    "model": "DNL",
    "arguments": {"input_shape": (360, 360, 3), "parts": 9},
    "size": (360, 360),
    "backbone_weights": "mobilenet_v2",
    "augmentation": {"left_right": 0.5},
    "batch": 8,
    "epochs": 300,
    "loss": "bce",
    "optimizer": "sgd",
    "optimizer_arguments": {"momentum": 0.9},
    "learning_rate": 0.013,
    "schedule": "poly",
    "schedule_arguments": {"power": 0.9},
    "weight_decay": 3.9e-9,
}

SHORT = {
    "arguments": {"input_shape": (96, 96, 3), "parts": 3},
    "size": (96, 96),
    "backbone_weights": None,
    "epochs": 10,
    "re_estimate": 30,
}
