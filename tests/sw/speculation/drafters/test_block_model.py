import numpy as np
import pytest
from block_tensors import block_tensors

from tercel.errors import TercelError
from tercel.speculation.drafters.block_model import BlockModel

WIDTH, CONTEXT, MASKS, WORDS = 8, 5, 3, 11


def make_tensors():
    return block_tensors(width=WIDTH, context=CONTEXT, masks=MASKS)


def make_model(tensors, heads=2, masks=MASKS):
    head = np.random.default_rng(9).normal(0, 1, (WORDS, WIDTH)).astype(np.float32)
    return BlockModel(tensors, masks=masks, heads=heads, epsilon=1e-5, head=head)


def test_every_mask_depends_on_the_whole_text_and_no_mask_on_another():
    tensors = make_tensors()
    model = make_model(tensors)
    assert model.context == CONTEXT
    text = np.random.default_rng(1).normal(0, 1, (CONTEXT, WIDTH)).astype(np.float32)
    found = model.fill(text)
    assert found.shape == (MASKS, WORDS)
    for place in range(CONTEXT):
        changed = text.copy()
        changed[place, 0] += 1
        assert (np.abs(model.fill(changed) - found).max(axis=1) > 1e-4).all()


def test_types_of_a_file_are_taken():
    halves = {name: array.astype(np.float16) for name, array in make_tensors().items()}
    text = np.ones((CONTEXT, WIDTH), np.float32)
    assert make_model(halves).fill(text).dtype == np.float32


def test_wrong_tensors_are_refused():
    tensors = make_tensors()
    with pytest.raises(TercelError, match="tensors of other shapes"):
        make_model(tensors, heads=3)
    with pytest.raises(TercelError, match="tensors of other shapes"):
        make_model(tensors, masks=CONTEXT + MASKS)
    with pytest.raises(TercelError, match="tensors of other shapes"):
        make_model(tensors | {"layers.1.down": tensors["layers.1.up"]})
    del tensors["layers.1.mlp_norm"]
    with pytest.raises(TercelError, match=r"lacks the tensor 'layers\.1\.mlp_norm'"):
        make_model(tensors)
