"""The plots show the numbers they are given."""

import numpy as np
import pytest

from sodkeras.models import CSNet
from sodkeras.models.channel_plan import channel_plan
from sodkeras.pruning.plots import plot_channels, plot_gammas


def test_bars_are_the_channels_of_each_scale(tmp_path):
    before, after = channel_plan(2), channel_plan(1, (3, 1))
    figure = plot_channels({"before": before, "after": after})
    for scale, axes in enumerate(figure.axes):
        for bars, plan in zip(axes.containers, (before, after), strict=True):
            blocks = [block for stage in plan["stages"] for block in stage]
            assert [bar.get_height() for bar in bars] == [block[scale] if scale < len(block) else 0 for block in blocks]
    figure.savefig(tmp_path / "channels.png")
    assert (tmp_path / "channels.png").stat().st_size > 1000


def test_every_gamma_is_in_the_histogram_zeros_too():
    fusion = {"stages": [4], "mixed": [2], "dilation_rates": [1], "dilated": [[2]], "filters": 2}
    model = CSNet(plan={"stages": [[[2, 2]], [[2, 2]], [[2, 2]], [[2, 2]], [[3]]], "fusion": fusion})
    norm = model.get_layer("stage0_0").mix.norms["0"]
    norm.gamma.assign(np.zeros(2))
    heights = plot_gammas({"model": model}).axes[0].patches[0].get_xy()
    assert heights[:, 0].min() == pytest.approx(-40)
    assert heights[:, 0].max() == pytest.approx(0)
