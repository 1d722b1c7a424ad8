"""Finite images that drive a pass to infinity: both devices have the same bits, and no NaN."""

from dataclasses import replace

import numpy as np
import pytest

from tercel import numerics
from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, ImageBuilder, fill_random
from tercel_sim.lockstep import Lockstep
from tercel_sim.rtl_device import RtlDevice

TREE = [-1, 0, 0, 1]
MODELS = {
    "silu": replace(PRESETS["tiny"], context=32),
    "relu2_sub_norms": replace(
        PRESETS["tiny"], activation="relu2", sub_norms=True, tied_head=False, context=32
    ),
}
ATTENTION_GAINS = (1e20, -1e19, 1)
MLP_GAINS = (1e15, 1)
GAINS = {
    "attention_norm": ATTENTION_GAINS,
    "mlp_norm": MLP_GAINS,
    "attention_sub_norm": (1e38, -1e38, 1e-38, 0),
    "mlp_sub_norm": MLP_GAINS,
    "norm": (1e38, -1e30, 1),
}


def gains(names, generator):
    """Makers of tensors: gains chosen at random among the extreme ones."""

    def give(builder):
        shapes = builder.config.norms() | {"norm": builder.config.hidden_size}
        for name in builder.missing:
            kind = name.rpartition(".")[2]
            if kind in names:
                values = generator.choice(GAINS[kind], shapes[kind])
                builder.gain(name, values.astype(np.float32))

    return give


def scales(kinds, scale, generator):
    """Makers of tensors: linears and rows with extreme scales."""

    def give(builder):
        config = builder.config
        shapes = config.linears()
        for name in builder.missing:
            kind = name.rpartition(".")[2]
            if kind not in kinds:
                continue
            if kind in shapes:
                builder.ternary(name, generator.integers(-1, 2, shapes[kind], np.int8), scale)
            else:
                rows = generator.integers(
                    -127, 128, (config.vocab_size, config.hidden_size), np.int8
                )
                row_scales = generator.choice([scale, 1], config.vocab_size).astype(np.float32)
                builder.rows(name, rows, row_scales)

    return give


def extremes(generator):
    """Extreme images by name; each gives an infinity, most give 0 times infinity."""
    return {
        "norm_gains": gains(("attention_norm", "mlp_norm"), generator),
        "all_gains": gains(tuple(GAINS), generator),
        "attention": scales(("q", "k", "v"), 1e38, generator),
        "values": scales(("v",), 3e38, generator),
        "mlp": scales(("gate", "up", "down"), 1e38, generator),
        "residual": scales(("o", "down", "embedding"), 1e36, generator),
        "head": scales(("embedding", "head"), 3e38, generator),
    }


@pytest.fixture
def extreme_pair(four_lanes, tmp_path):
    """Makes a pair of devices of a model with these extremes."""
    made = []

    def make(family, extreme):
        generator = np.random.default_rng(5)
        builder = ImageBuilder(config=MODELS[family], layout=four_lanes.layout)
        extremes(generator)[extreme](builder)
        fill_random(builder, 1)
        builder.write(tmp_path / "extreme.tercel")
        image = Image.open(tmp_path / "extreme.tercel")
        rtl = RtlDevice(image, accelerator=four_lanes, timeout=1e-3, watchdog=20e-6)
        made.append(rtl)
        limits = rtl.limits
        return Lockstep(rtl, EmulatorDevice(image, nodes=limits.nodes, context=limits.context))

    yield make
    for rtl in made:
        rtl.board.close()


@pytest.fixture
def infinities(monkeypatch):
    """Number of infinite operands and results in the golden arithmetic."""
    seen = [0]

    def flush(x):
        seen[0] += np.count_nonzero(np.isinf(x))
        return numerics.flush(x)

    monkeypatch.setattr(numerics.float32, "flush", flush)
    return seen


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("extreme", extremes(np.random.default_rng()))
def test_both_devices_agree(extreme_pair, infinities, family, extreme):
    pair = extreme_pair(family, extreme)
    ask = Ask(top_k=5, logits=(0, 1, 2, 3), hidden=(0, 1, 2, 3))
    results = [
        pair.step([5, 17, 3, 38], ask=ask, parents=TREE, path=[0, 1, 3]),
        pair.step([41, 2, 30, 9], ask=ask),
    ]
    assert infinities[0]
    for result in results:
        for values in (result.hidden, result.logits):
            assert not np.isnan(np.stack(list(values.values()))).any()
        assert np.isfinite(result.logsumexp).all()
