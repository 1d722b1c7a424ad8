import re

import pytest
import torch
from torch import Tensor

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_quant.importers import Checkpoint, Ternary
from tercel_quant.reference import Layer, Linear, rope, run_layer
from tercel_quant.ternarise import CalibrationConfig, absmean, calibrated_layers

CONFIG = PRESETS["tiny"]


class RandomCheckpoint(Checkpoint):
    """Float weights out of a seed; some may be ternary."""

    config = CONFIG
    description = "random"
    declared_ternary = False

    def __init__(self, ternary: tuple[str, ...] = (), zero: tuple[str, ...] = ()):
        self._ternary, self._zero = ternary, zero

    def _random(self, name: str, *shape: int) -> Tensor:
        generator = torch.Generator().manual_seed(sum(name.encode()))
        return torch.randn(shape, generator=generator)

    def matrix(self, name: str) -> Tensor | Ternary:
        weight = self._random(name, *CONFIG.linears()[name.split(".")[-1]]) * 0.1
        if name in self._zero:
            return torch.zeros_like(weight)
        return absmean(weight) if name in self._ternary else weight

    def floats(self, name: str) -> Tensor:
        if name in ("embedding", "head"):
            return self._random(name, CONFIG.vocab_size, CONFIG.hidden_size)
        return self._random(name, CONFIG.hidden_size).abs() + 0.5

    def tokenizer(self) -> bytes | None:
        return None


TOKENS = torch.randint(CONFIG.vocab_size, (24, 40), generator=torch.Generator().manual_seed(0))


def ternarise(checkpoint, tokens=TOKENS, granularity="tensor", **fields):
    lines: list[str] = []
    config = CalibrationConfig(**fields)
    embedding = checkpoint.floats("embedding")
    made = calibrated_layers(
        checkpoint, embedding, tokens, config, lines.append, granularity=granularity
    )
    tensors = dict(made)
    return tensors, lines


def names():
    return {
        f"layers.{layer}.{part}"
        for layer in range(CONFIG.layers)
        for part in (*CONFIG.linears(), *CONFIG.norms())
    }


def errors(lines):
    return [float(line.rsplit(" ", 1)[1]) for line in lines]


def test_every_tensor_comes_once_in_its_shape():
    tensors, lines = ternarise(RandomCheckpoint())
    assert set(tensors) == names()
    for name, tensor in tensors.items():
        part = name.split(".")[-1]
        if part in CONFIG.linears():
            assert isinstance(tensor, Ternary)
            assert tensor.trits.shape == CONFIG.linears()[part]
            assert tensor.scale > 0
        else:
            assert isinstance(tensor, Tensor)
            assert tensor.shape == (CONFIG.norms()[part],)
    assert re.fullmatch(r"layer 2 of 2: error of the stream \d\.\d{3}", lines[1])


@pytest.mark.parametrize("granularity", ["tensor", "row", "group"])
def test_reported_error_is_that_of_the_tensors(granularity):
    """The pipeline's own streams are those of the model with the tensors it hands out.

    The inputs of linears, queries and cache are int8, with shifts of blocks for groups.
    """
    checkpoint = RandomCheckpoint()
    tensors, lines = ternarise(checkpoint, granularity=granularity)
    streams = [checkpoint.floats("embedding")[TOKENS]] * 2
    for index in range(CONFIG.layers):
        parts = {
            part: (tensors[f"layers.{index}.{part}"], checkpoint.matrix(f"layers.{index}.{part}"))
            for part in CONFIG.linears()
        }
        norms = {part: f"layers.{index}.{part}" for part in CONFIG.norms()}
        layers = (
            Layer(
                linears={part: Linear.of(ternary) for part, (ternary, _) in parts.items()},
                gains={part: tensors[name] for part, name in norms.items()},
            ),
            Layer(
                linears={
                    part: Linear(weight=weight, scale=None) for part, (_, weight) in parts.items()
                },
                gains={part: checkpoint.floats(name) for part, name in norms.items()},
            ),
        )
        streams = [
            run_layer(CONFIG, layer, stream, rope(CONFIG, 40), int8=layer is layers[0])
            for layer, stream in zip(layers, streams, strict=True)
        ]
        distance = (streams[0] - streams[1]).square().sum(-1) / streams[1].square().sum(-1)
        assert errors(lines)[index] == pytest.approx(float(distance.mean()), abs=2e-3)


def test_finer_scales_lessen_the_error():
    found = [errors(ternarise(RandomCheckpoint(), granularity=g)[1])[0] for g in ("tensor", "row")]
    assert found[1] < found[0]


def test_ternary_matrices_are_kept_in_the_granularity():
    checkpoint = RandomCheckpoint(ternary=("layers.0.v",))
    tensors, _ = ternarise(checkpoint, granularity="group")
    before, after = checkpoint.matrix("layers.0.v"), tensors["layers.0.v"]
    assert isinstance(before, Ternary)
    assert isinstance(after, Ternary)
    assert after.multipliers is not None
    assert torch.allclose(after.dequantise(), before.dequantise(), rtol=1e-6)


def test_compensation_lessens_the_error():
    with_it = errors(ternarise(RandomCheckpoint())[1])
    without = errors(ternarise(RandomCheckpoint(), compensation=0.0)[1])
    assert with_it[-1] < without[-1]


def test_windows_together_change_nothing_but_rounding():
    few = errors(ternarise(RandomCheckpoint(), windows=1)[1])
    many = errors(ternarise(RandomCheckpoint(), windows=24)[1])
    assert few == pytest.approx(many, abs=0.02)


def test_matrices_that_are_trits_already_are_kept():
    kept = ("layers.0.v", "layers.1.gate")
    checkpoint = RandomCheckpoint(ternary=kept)
    tensors, _ = ternarise(checkpoint)
    for name in kept:
        before, after = checkpoint.matrix(name), tensors[name]
        assert isinstance(before, Ternary)
        assert isinstance(after, Ternary)
        assert torch.equal(after.trits, before.trits)
        assert after.scale == before.scale


def test_zero_matrices_and_dead_inputs_give_numbers():
    checkpoint = RandomCheckpoint(zero=("layers.0.v", "layers.0.gate"))
    tensors, lines = ternarise(checkpoint)
    # A v of zeros leaves o, and a gate of zeros leaves down, without any input.
    for name in ("layers.0.v", "layers.0.gate", "layers.0.o", "layers.0.down"):
        ternary = tensors[name]
        assert isinstance(ternary, Ternary)
        assert ternary.scale == 0
        assert not ternary.trits.any()
    assert all(0 <= error < 10 for error in errors(lines))


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"compensation": 1.5}, "compensation must be in 0..1, not 1.5"),
        ({"windows": 0}, "windows must be at least 1, not 0"),
    ],
)
def test_config_refused(fields, rule):
    with pytest.raises(TercelError, match=re.escape(rule)):
        CalibrationConfig(**fields)
