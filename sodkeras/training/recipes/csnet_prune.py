"""CSNet-L: trained wide with dynamic weight decay, pruned, fine-tuned.

Papers: Gao et al., ECCV 2020, Sec. 3.3; Cheng et al., TPAMI 2021.

    sodkeras train --recipe=csnet_prune --data=DUTS-TR --test=ECSSD --out=runs/csnet_l_x2
    sodkeras train --recipe=csnet_prune --data=DUTS-TR --test=ECSSD --out=runs/csnet_l_x1 --set=arguments.width=1

Settings beside those of the recipe csnet: dynamic weight decay with λ = 3, as a term of the loss (the released code;
the papers print it as a decay after the optimizer's step: --set=dynamic_decay_form=decoupled). Plain weight decay
leaves out the γ that dynamic weight decay acts on, but for those of the second depthwise unit of each block, which the
released code decays both ways (its filter names the first unit twice; --set=decay_exempt=gammas leaves out all of
them). Channels with |γ| < 1e-20 are pruned.

Papers and released code differ on fine-tuning. The papers spend the last 20 of 300 epochs on pruning and fine-tuning;
the released code's optimizer holds the weights from before pruning, so that only batch norm's statistics change. Here
the pruned network is trained for 20 epochs at a tenth of the first learning rate, and pruned/initial.keras is the
network with nothing but its statistics estimated anew.

Expect for ×2 140 K parameters and maxF .916 / MAE .066 on ECSSD, for ×1 94 K and .900 / .075 (papers). The threshold
needs the long training: γ of idle channels fall by orders of magnitude only after hundreds of epochs.

--short: ×1 at 64×64, 40 + 3 epochs for a few hundred pictures. Adam moves each γ by about the learning rate a step, so
the rate is a hundred times the papers' (1e-2, falling along a cosine) for γ of idle channels to fall under 1e-2, where
they are cut. training/benchmarks/prune_csnet.py did the same on 463 pictures: 71 K of 211 K parameters were left.
"""

from sodkeras.training.recipes import csnet

SETTINGS = csnet.SETTINGS | {
    "arguments": {"width": 2.0},
    "dynamic_decay": 3.0,
    "dynamic_decay_form": "coupled",
    "decay_exempt": "released_gammas",
    "prune": {"criterion": "gamma", "threshold": 1e-20},
    "fine_tune": {"epochs": 20, "learning_rate": 1e-5, "schedule": "constant", "schedule_arguments": {}},
}

SHORT = csnet.SHORT | {
    "arguments": {"width": 1.0},
    "size": (64, 64),
    "epochs": 40,
    "learning_rate": 1e-2,
    "decay_exempt": "gammas",
    "prune": {"criterion": "gamma", "threshold": 1e-2},
    "fine_tune": {"epochs": 3, "learning_rate": 1e-3, "schedule": "constant", "schedule_arguments": {}},
}
