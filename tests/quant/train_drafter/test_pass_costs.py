from dataclasses import replace

import numpy as np
import pytest

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, random_image
from tercel.sampling import SamplingConfig
from tercel_quant.train_drafter.pass_costs import PassCosts, measure_costs


class Clocked(EmulatorDevice):
    """A device whose time counts what it did."""

    def _run(self, request, rows):
        attentions, mlps = (sum(column) for column in zip(*request.layer_mask, strict=True))
        kinds = 100 * attentions + 10 * mlps + request.head_rows / 1000 + request.ask.top_k / 1e6
        self.asked.append(request)
        return replace(super()._run(request, rows), seconds=request.nodes * kinds)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "tiny.tercel"
    random_image(path, PRESETS["tiny"])
    return Image.open(path)


@pytest.mark.parametrize("sampling", [SamplingConfig(), SamplingConfig(temperature=1.0)])
def test_the_devices_own_times_are_those_of_its_passes(image, sampling):
    device = Clocked(image, nodes=3)
    device.asked = []
    options = {"sampling": sampling, "head_rows": 40, "top_k": 5}
    costs = measure_costs(device, tokens=range(20), **options)
    nodes = np.array([1, 2, 3])
    head = 0.040 + 5 / 1e6
    assert costs.headed == pytest.approx(nodes * head)
    assert costs.attention == pytest.approx(nodes * 100)
    assert costs.mlp == pytest.approx(nodes * 10)
    assert costs.whole == pytest.approx(nodes * (220 + 0.096))
    mask = ((True, False), (True, True))
    assert costs.draft(mask) == pytest.approx(nodes * (210 + head))
    passes = [request for request in device.asked if request.head_rows]
    assert {request.base for request in passes} == {17}
    assert len(passes) == 12
    assert device.length == 0


def test_the_host_measures_a_device_without_a_clock(image):
    options = {"sampling": SamplingConfig(), "head_rows": 96, "top_k": 5}
    costs = measure_costs(EmulatorDevice(image, nodes=2), tokens=range(9), **options)
    assert (costs.whole > 0).all()
    assert (costs.headed > 0).all()
    assert (costs.attention >= 0).all()
    assert (costs.mlp >= 0).all()


def test_the_cost_of_a_draft_counts_its_layers():
    one = np.ones(2)
    costs = PassCosts(whole=9 * one, headed=one, attention=2 * one, mlp=4 * one)
    assert costs.draft(((True, True), (False, True))).tolist() == [11, 11]
