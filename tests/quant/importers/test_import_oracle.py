"""Imported models against transformers' own, on the published layouts."""

import pytest
import torch

from tercel.image import Image
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import head_logits, hidden_states
from tercel_quant.weights import CheckpointWeights, ImageWeights

# torch's compiler, which transformers' BitNet imports, uses a part of torch that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

TOKENS = torch.randint(320, (6, 50), generator=torch.Generator().manual_seed(1))


def logits_of(weights) -> torch.Tensor:
    return torch.cat(list(head_logits(weights, hidden_states(weights, TOKENS).flatten(0, 1))))


@torch.no_grad()
def oracle(folder) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model(TOKENS).logits.flatten(0, 1)


def differs(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    return bool((ours.argmax(-1) == theirs.argmax(-1)).float().mean() < 0.9)


def test_the_oracle_notices_the_wrong_activation(bitnet, tmp_path):
    convert(bitnet("bitlinear", "offline", activation="silu"), tmp_path / "model.tercel")
    ours = logits_of(ImageWeights(Image.open(tmp_path / "model.tercel")))
    assert differs(ours, oracle(bitnet("bitlinear", "offline")))


@pytest.mark.parametrize("tied", [True, False])
def test_llama_unquantised_has_the_logits_of_transformers(llama, tied):
    folder, model = llama(tied=tied)
    with torch.no_grad():
        theirs = model(TOKENS).logits.flatten(0, 1)
    ours = logits_of(CheckpointWeights(open_checkpoint(folder)))
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


def test_llama_with_wide_heads_and_its_own_rope_base(llama):
    folder, model = llama(head_dim=32, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    with torch.no_grad():
        theirs = model(TOKENS).logits.flatten(0, 1)
    checkpoint = open_checkpoint(folder)
    assert (checkpoint.config.head_size, checkpoint.config.rope_base) == (32, 5e5)
    torch.testing.assert_close(
        logits_of(CheckpointWeights(checkpoint)), theirs, atol=2e-4, rtol=1e-4
    )


def test_llama_sharded_is_read_as_a_whole(llama, tmp_path):
    folder, model = llama()
    model.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    one, many = open_checkpoint(folder), open_checkpoint(tmp_path / "sharded")
    assert torch.equal(one.matrix("layers.1.down"), many.matrix("layers.1.down"))
    assert torch.equal(one.floats("embedding"), many.floats("embedding"))


def test_llama_of_ternary_weights_keeps_its_own_scale(llama, tmp_path):
    """A linear that is ternary already is not rounded a second time."""
    folder, _ = llama()
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = tensors[name].sign() * (tensors[name].abs() > 0.15) * 0.25
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, tmp_path / "model.tercel", method="absmean")
    image = Image.open(tmp_path / "model.tercel")
    assert image.weight_scale("layers.0.up") == 0.25
    assert torch.equal(torch.from_numpy(image.ternary("layers.0.up")) * 0.25, tensors[name])
