"""Every published layout against transformers: the image has the logits of the oracle."""

from dataclasses import replace

import pytest
import torch
from published import PUBLISHED, bitnet_1bitllm, falcon3, llama3_8b

from tercel.image import Image
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import Layer, head_logits, hidden_states
from tercel_quant.weights import ImageWeights

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

TOKENS = torch.randint(320, (6, 50), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def oracle_logits(folder) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model(TOKENS).logits.flatten(0, 1)


class PlainWeights(ImageWeights):
    """The weights of an image, with float activations."""

    def layer(self, index: int) -> Layer:
        layer = super().layer(index)
        return replace(layer, linears={n: each.plain() for n, each in layer.linears.items()})


def image_logits(path, kind=ImageWeights) -> torch.Tensor:
    weights = kind(Image.open(path))
    stream = hidden_states(weights, TOKENS).flatten(0, 1)
    return torch.cat(list(head_logits(weights, stream)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_image_has_the_logits_of_transformers(tmp_path, name):
    published = PUBLISHED[name](tmp_path / "model")
    found = convert(published.folder, tmp_path / "model.tercel", method=published.method)
    assert found.config.granularity == published.granularity
    kind = PlainWeights if published.float_activations else ImageWeights
    ours = image_logits(tmp_path / "model.tercel", kind)
    theirs = oracle_logits(published.oracle)
    difference = (ours - theirs).abs() / theirs.std()
    if published.granularity == "group":
        assert found.multiplier_error is not None
        assert found.multiplier_error[0] < 2e-3
        # Scales that differ by up to 0.2 % each.
        assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() >= 0.97
        assert difference.median() < 2e-3
        assert difference.max() < 0.03
        return
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() >= 0.99
    # Equal up to an activation that rounds the other way here and there.
    assert difference.median() < 1e-5
    assert difference.max() < 0.1


@pytest.mark.parametrize(
    ("eos", "generation", "ends"), [(11, 11, (11,)), ([11, 2], None, (11, 2)), (None, 11, (11,))]
)
def test_falcon3_ends_in_each_of_its_styles(tmp_path, eos, generation, ends):
    folder = falcon3(tmp_path / "model", eos=eos, generation_eos=generation).folder
    config = open_checkpoint(folder).config
    assert (config.head_size, config.heads, config.eos_tokens) == (256, 2, ends)


def test_llama3_takes_all_ends_and_its_scaled_rope(tmp_path):
    config = open_checkpoint(llama3_8b(tmp_path / "model").folder).config
    assert config.eos_tokens == (2, 8, 9, 10)
    assert (config.heads, config.kv_heads) == (8, 2)
    assert config.rope_factors[0] == 1
    assert config.rope_factors[-1] == 8


def test_heads_of_100_are_padded_to_112(tmp_path):
    checkpoint = open_checkpoint(bitnet_1bitllm(tmp_path / "m", heads=2, head_size=100).folder)
    assert (checkpoint.config.head_size, checkpoint.config.q_size) == (112, 224)
    assert checkpoint.matrix("layers.0.q").shape == (200, 200)


def test_the_oracle_notices_rope_without_its_scaling(tmp_path):
    published = llama3_8b(tmp_path / "model")
    config = published.folder / "config.json"
    config.write_text(config.read_text().replace('"rope_scaling"', '"_rope_scaling"'))
    convert(published.folder, tmp_path / "model.tercel")
    config.write_text(config.read_text().replace('"_rope_scaling"', '"rope_scaling"'))
    difference = image_logits(tmp_path / "model.tercel") - oracle_logits(published.oracle)
    assert difference.abs().median() > 1e-3
