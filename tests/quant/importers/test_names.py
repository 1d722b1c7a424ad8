import dataclasses

import pytest

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel_quant.importers.names import canonical_shapes, check_tensors

CONFIG = dataclasses.replace(PRESETS["tiny"], layers=2, sub_norms=True, tied_head=False)


def test_every_tensor_has_its_shape():
    shapes = canonical_shapes(CONFIG)
    d, ffn, heads = CONFIG.hidden_size, CONFIG.ffn_size, CONFIG.heads * CONFIG.head_size
    table = CONFIG.vocab_size, d
    assert (shapes["embedding"], shapes["head"], shapes["norm"]) == (table, table, (d,))
    assert shapes["layers.1.q"] == (heads, d)
    assert shapes["layers.1.down"] == (d, ffn)
    assert shapes["layers.0.attention_norm"] == (d,)
    assert shapes["layers.0.mlp_sub_norm"] == (ffn,)
    assert len(shapes) == 3 + 2 * (7 + 4)


def test_tied_heads_and_sub_norms_are_left_out():
    shapes = canonical_shapes(dataclasses.replace(CONFIG, sub_norms=False, tied_head=True))
    assert "head" not in shapes
    assert len(shapes) == 2 + 2 * (7 + 2)


EXPECTED = {f"w{index}": (2, index) for index in range(8)}


def test_what_is_expected_may_have_company_that_is_ignored():
    check_tensors(EXPECTED, EXPECTED)
    check_tensors(EXPECTED | {"w0.scale": (1,)}, EXPECTED, ignored=(".scale",))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "lacks 8 tensors: w0, w1, w2, w3, w4 and 3 more$"),
        ({k: v for k, v in EXPECTED.items() if k != "w7"}, "lacks 1 tensors: w7$"),
        (EXPECTED | {"w1.bias": (1,)}, "w1.bias: biases are not supported"),
        (EXPECTED | {"a.experts.3": (1,)}, "mixtures of experts are not supported"),
        (EXPECTED | {"other": (1,)}, "has 1 tensors that its config does not call for: other;"),
        (EXPECTED | {"w3": (3, 2)}, r"w3 must have the shape \(2, 3\), not \(3, 2\)"),
    ],
)
def test_what_is_refused(found, message):
    with pytest.raises(TercelError, match=message):
        check_tensors(found, EXPECTED)
