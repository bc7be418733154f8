"""The channel plan of a CSNet: its channels as a small JSON object, so that a pruned network is data.

    {
      "stages": [[[8, 10]], [[9, 10], [10, 10], [10, 10]], …],
      "fusion": {
        "stages": [2, 3, 4],
        "mixed": [12, 24, 24],
        "dilation_rates": [1, 2, 4, 8, 16],
        "dilated": [[1, 2, 2, 2, 4], [1, 4, 4, 4, 5], [2, 2, 4, 5, 4]],
        "filters": 60
      }
    }

"stages" has stages 0 … 4, each a list of blocks, each a list of channels by scale, the finest first; the last block of
a fused stage has one scale. "fusion" names the fused stages, for each of them the mixed channels and the channels of
each dilation, and the output channels of the fusion; it is null for the feature extractor alone.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from sodkeras.errors import SodkerasError
from sodkeras.layers.cross_stage_fusion import DILATION_RATES

#: Blocks in stages 0 … 4, and their channels as multiples of the base width (TPAMI 2021, Table 2; released network).
BLOCKS = (1, 3, 4, 6, 4)
WIDTHS = (1, 1, 2, 4, 4)
#: Channels of stage 0 in CSNet ×1.
BASE_WIDTH = 20


def channel_plan(
    width: float = 1.0, split: Sequence[float] = (1, 1), fusion_stages: Sequence[int] = (2, 3, 4)
) -> dict[str, Any]:
    """The plan of an unpruned CSNet.

    Args:
        width: the k of CSNet ×k: stage 0 has round(20 · k) channels.
        split: the shares of the scales, the finest first: (1, 1) is the papers' 5/5, (3, 1), (1, 3), (1, 0), (0, 1), …
        fusion_stages: the stages the head fuses: consecutive, the last one 4; none for the extractor alone.

    Returns:
        A plan as described in this module.

    Raises:
        SodkerasError: for arguments that make no network.
    """
    if not sum(split) > 0 or min(split) < 0:
        raise SodkerasError(f"The split needs shares of at least 0, not all 0. Received: split={split}")
    shares = list(split)
    while shares[-1] == 0:
        shares.pop()

    def divide(total):
        bounds = [round(total * share / sum(shares)) for share in itertools.accumulate(shares)]
        return [high - low for low, high in zip([0, *bounds], bounds, strict=False)]

    totals = [multiple * round(BASE_WIDTH * width) for multiple in WIDTHS]
    stages = [[divide(total) for _ in range(count)] for total, count in zip(totals, BLOCKS, strict=True)]
    # One scale where features leave the stages: for the head, or for the extractor's own 1×1 convolution.
    for stage in fusion_stages or [len(stages) - 1]:
        if stage not in range(len(stages)):
            raise SodkerasError(f"The stages that can be fused are 1 to 4. Received: fusion_stages={fusion_stages}")
        stages[stage][-1] = [totals[stage]]
    fusion = None
    if fusion_stages:
        mixed = [totals[stage] // 3 for stage in fusion_stages]
        branches = len(DILATION_RATES)
        fusion = {
            "stages": list(fusion_stages),
            "mixed": mixed,
            "dilation_rates": list(DILATION_RATES),
            # The widest dilation takes the remainder.
            "dilated": [[c // branches] * (branches - 1) + [c - c // branches * (branches - 1)] for c in mixed],
            "filters": sum(mixed),
        }
    return check_plan({"stages": stages, "fusion": fusion})


def check_plan(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan in plain lists and integers, checked.

    Raises:
        SodkerasError: if the plan has another form, or a path without channels, through which nothing could pass.
    """
    try:
        stages = [[[int(count) for count in block] for block in stage] for stage in plan["stages"]]
        fusion = plan["fusion"]
        if fusion is not None:
            fusion = {
                "stages": [int(stage) for stage in fusion["stages"]],
                "mixed": [int(count) for count in fusion["mixed"]],
                "dilation_rates": [int(rate) for rate in fusion["dilation_rates"]],
                "dilated": [[int(count) for count in row] for row in fusion["dilated"]],
                "filters": int(fusion["filters"]),
            }
    except (TypeError, KeyError, ValueError):
        raise SodkerasError(
            "A channel plan is a dict with 'stages', lists of blocks of channels by scale, and 'fusion', None or a "
            f"dict with 'stages', 'mixed', 'dilation_rates', 'dilated' and 'filters'. Received: {plan!r}"
        ) from None
    if len(stages) != len(BLOCKS) or not all(stages):
        raise SodkerasError(
            f"A channel plan has the blocks of stages 0 to 4. Received: {[len(s) for s in stages]} blocks"
        )
    fused = fusion["stages"] if fusion else [4]
    if fused not in [[4], [3, 4], [2, 3, 4], [1, 2, 3, 4]]:
        raise SodkerasError(f"The fused stages are consecutive and the last is 4. Received: {fused}")
    for stage, blocks in enumerate(stages):
        for number, block in enumerate(blocks):
            if not any(block) or min(block) < 0:
                raise SodkerasError(
                    f"Block {number} of stage {stage} has no channels left: dead path. Received: {block}"
                )
        if stage in fused and any(blocks[-1][1:]):
            raise SodkerasError(f"Stage {stage} is fused, so its last block has one scale. Received: {blocks[-1]}")
    if fusion:
        _check_fusion(fusion)
    return {"stages": stages, "fusion": fusion}


def _check_fusion(fusion):
    rows = {len(row) for row in fusion["dilated"]}
    if not len(fusion["mixed"]) == len(fusion["dilated"]) == len(fusion["stages"]) or rows != {
        len(fusion["dilation_rates"])
    }:
        raise SodkerasError(
            "The fusion needs mixed channels and a row of dilated channels, one a dilation, for each fused stage. "
            f"Received: {fusion}"
        )
    if min(fusion["mixed"]) < 0 or min(itertools.chain(*fusion["dilated"])) < 0 or fusion["filters"] < 1:
        raise SodkerasError(f"The fusion has no output channels, or fewer than 0 somewhere. Received: {fusion}")
    for stage, mixed, row in zip(fusion["stages"], fusion["mixed"], fusion["dilated"], strict=True):
        if not mixed or not any(row):
            raise SodkerasError(
                f"The fusion has no channels left for stage {stage}: dead path. Received: mixed {mixed}, dilated {row}"
            )
