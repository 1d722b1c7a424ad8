"""The accelerator in its form for UltraScale+, on models of the primitives."""

from dataclasses import replace

import pytest

from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel_hw.emission import emit_verilog
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target
from tercel_hw.top import ACCELERATORS
from tercel_sim import rtl_library
from tercel_sim.build_cache import BuildCache
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep
from tercel_sim.rtl_device import RtlDevice

TINY = ACCELERATORS["tiny"]


@pytest.fixture
def in_cells(monkeypatch, tmp_path_factory, verilator, random_images):
    """Makes simulated accelerators of the vendor's primitives."""
    cache = BuildCache(tmp_path_factory.getbasetemp() / "cells")

    def emit(component, name):
        verilog = emit_verilog(component, name, target=Target.ULTRASCALE_PLUS)
        assert verilog.count("DSP48E2 #(") > 100
        assert "  CARRY8 " in verilog
        return verilog + primitive_models(Target.ULTRASCALE_PLUS)

    monkeypatch.setattr(rtl_library, "emit_verilog", emit)
    made = []

    def make(model, accelerator):
        image = random_images(model, accelerator)
        device = RtlDevice(image, accelerator=accelerator, ddr=DDR["ideal"], cache=cache)
        made.append(device)
        return device, image

    yield make
    for device in made:
        device.board.close()


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["silu", "relu2"])
def test_it_gives_the_emulators_bits(in_cells, activation):
    model = replace(PRESETS["tiny"], activation=activation, sub_norms=True)
    accelerator = replace(TINY, tlmm=replace(TINY.tlmm, nodes=4))
    device, image = in_cells(model, accelerator)
    limits = device.limits
    pair = Lockstep(device, EmulatorDevice(image, nodes=limits.nodes, context=limits.context))
    ask = Ask(top_k=5, logits=tuple(range(4)), hidden=tuple(range(4)))
    pair.prefill([5, 17, 3, 38, 41, 2])
    pair.step([5, 17, 3, 38], ask=ask, parents=[-1, 0, 0, 1], path=[0, 1, 3])
    pair.step([41], ask=Ask(top_k=5))
