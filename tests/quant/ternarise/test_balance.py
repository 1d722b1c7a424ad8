import pytest
import torch

from tercel.config import PRESETS
from tercel_quant.reference import Layer, Linear, rope, run_layer
from tercel_quant.ternarise.balance import balance

CONFIG = PRESETS["tiny"]


@pytest.fixture
def layer():
    generator = torch.Generator().manual_seed(0)

    def uneven(rows, columns):
        sizes = torch.rand(columns, generator=generator) ** 3 + 0.01
        return torch.randn(rows, columns, generator=generator) * sizes

    matrices = {name: uneven(*shape) for name, shape in CONFIG.linears().items()}
    gains = {
        name: torch.rand(width, generator=generator) + 0.5 for name, width in CONFIG.norms().items()
    }
    return matrices, gains


def run(matrices, gains):
    linears = {name: Linear(weight=weight, scale=None) for name, weight in matrices.items()}
    x = torch.randn(2, 10, CONFIG.hidden_size, generator=torch.Generator().manual_seed(1))
    return run_layer(CONFIG, Layer(linears=linears, gains=gains), x, rope(CONFIG, 10))


def test_layer_computes_the_same(layer):
    torch.testing.assert_close(run(*balance(CONFIG, *layer)), run(*layer), rtol=1e-4, atol=1e-4)


def test_columns_behind_a_norm_are_even(layer):
    matrices, _ = balance(CONFIG, *layer)
    for names in ("qkv", ("gate", "up")):
        sizes = torch.cat([matrices[name] for name in names]).square().mean(0).sqrt()
        assert sizes.max() / sizes.min() < 1.0001


def test_spread_of_columns_behind_rows_is_halved(layer):
    matrices, _ = balance(CONFIG, *layer)

    def spread(weight):
        return float(weight.square().mean(0).sqrt().log().std())

    def grouped(o):
        """The columns of the query heads that share a value head, one above the other."""
        columns = o.view(CONFIG.hidden_size, CONFIG.kv_heads, -1, CONFIG.head_size)
        return columns.transpose(1, 2).reshape(-1, CONFIG.kv_size)

    assert spread(matrices["down"]) < 0.6 * spread(layer[0]["down"])
    assert spread(grouped(matrices["o"])) < 0.6 * spread(grouped(layer[0]["o"]))


def test_dead_channels_stay_and_give_numbers(layer):
    matrices, gains = layer
    matrices["up"][3] = 0
    matrices["down"][:, 4] = 0
    for name in "qkv":
        matrices[name][:, 5] = 0
    balanced, balanced_gains = balance(CONFIG, matrices, gains)
    assert all(weight.isfinite().all() for weight in balanced.values())
    assert balanced_gains["attention_norm"][5] == gains["attention_norm"][5]
    torch.testing.assert_close(
        run(balanced, balanced_gains), run(matrices, gains), rtol=1e-4, atol=1e-4
    )


def test_layer_of_zeros_stays(layer):
    matrices = {name: torch.zeros_like(weight) for name, weight in layer[0].items()}
    balanced, gains = balance(CONFIG, matrices, layer[1])
    assert not any(weight.any() for weight in balanced.values())
    assert all(torch.equal(gains[name], layer[1][name]) for name in gains)
