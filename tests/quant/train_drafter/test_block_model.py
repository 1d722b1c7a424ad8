import pytest
import torch

from tercel.errors import TercelError
from tercel_quant.train_drafter.block_model import BlockConfig, BlockModel


def test_fillings_depend_on_the_text_alone_and_differ_by_mask():
    embedding = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))
    model = BlockModel(BlockConfig(context=3, masks=2, heads=2, ffn_size=8), embedding, embedding)
    model.initialise(1)
    tokens = torch.tensor([[1, 2, 3], [4, 2, 3]])
    found = model(tokens)
    assert found.shape == (2, 2, 9)
    assert not torch.allclose(found[0, 0], found[0, 1])
    assert not torch.allclose(found[0], found[1])
    torch.testing.assert_close(model(tokens[1:])[0], found[1])
    assert "embedding" not in model.state_dict()


def test_bad_shapes_are_refused():
    with pytest.raises(TercelError, match="masks must be 1 or more, not 0"):
        BlockConfig(masks=0)
    with pytest.raises(TercelError, match="3 heads do not divide the width 8"):
        BlockModel(BlockConfig(heads=3), torch.zeros(9, 8), torch.zeros(9, 8))
