"""Facts about checkpoints that are not converted."""

import json
import re

import pytest
import torch
from published import PUBLISHED, bitnet_1bitllm, falcon_e
from safetensors.torch import load_file, save_file

from tercel.config import ModelConfig
from tercel.errors import TercelError
from tercel_quant.inspection import checkpoint_facts

pytestmark = pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")

DECLARED = {"bitnet 2B-4T bf16", "bitnet large", "bitnet 3B"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_layout_is_recognised(tmp_path, name):
    published = PUBLISHED[name](tmp_path / "model")
    facts = checkpoint_facts(published.folder)
    assert facts["refused"] == []
    config = ModelConfig.from_fields(facts["config"])
    assert (config.vocab_size, config.granularity) == (320, published.granularity)
    assert config.ternary_head == ("Bonsai" in name)
    if published.granularity != "tensor":
        kinds = {kind.split(", ")[0] for kind in facts["weights"]}
        parts = {"row": "shard of ", "group": "group of 128 columns"}[published.granularity]
        assert all(kind.startswith(f"ternary with one scale per {parts}") for kind in kinds)
        told = f"imported as it is, with scales of the granularity '{published.granularity}'"
        assert facts["conversion"].startswith(told)
        return
    expected = {
        name in DECLARED: "float masters of ternary weights",
        name == "Falcon-E prequantized": "floats that are not ternary",
    }.get(True, "ternary with one scale per matrix")
    assert list(facts["weights"]) == [expected]
    assert len(facts["weights"][expected]) == 14
    if name == "Falcon-E prequantized":
        assert facts["conversion"].startswith("with --method absmean if these are masters")
    else:
        assert facts["conversion"] == "imported as it is"


def regroup(folder, scales):
    """Make every linear ternary with the scales that a function gives for its shape."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if "_proj" in name:
            trits = torch.randint(-1, 2, tensor.shape, generator=generator)
            trits[:, ::16] = 1  # no group without a weight
            tensors[name] = (trits * scales(*tensor.shape, generator)).half()
    save_file(tensors, path, metadata={"format": "pt"})


def by_group(columns):
    def scales(rows, width, generator):
        groups = torch.rand(rows, width // columns, generator=generator) + 0.5
        return groups.repeat_interleave(columns, 1)

    return scales


def by_row(rows, width, generator):
    return torch.rand(rows, 1, generator=generator) + 0.5


def by_shard(rows, width, generator):
    return (torch.rand(2, 1, generator=generator) + 0.5).repeat_interleave(rows // 2, 0)


@pytest.mark.parametrize(
    ("scales", "blocks", "granularity"),
    [
        (by_row, "ternary with one scale per row, ", "row"),
        (by_group(32), "ternary with one scale per group of 32 columns, ", None),
        (by_shard, "ternary with one scale per shard of ", "row"),
    ],
)
def test_several_scales_are_told_with_what_they_need(llama, scales, blocks, granularity):
    folder, _ = llama()
    regroup(folder, scales)
    facts = checkpoint_facts(folder)
    assert facts["weights"]
    assert all(kind.startswith(blocks) for kind in facts["weights"])
    if granularity is None:
        told = r"only at a loss: .* --granularity group --requantize .*\(\d+\.\d % of this matrix"
    else:
        told = f"imported as it is, with scales of the granularity {granularity!r}"
    assert re.match(told, facts["conversion"])


def test_a_family_that_is_refused_is_told_with_its_granularity(llama):
    """A model of experts with a scale per 32 columns."""
    folder, _ = llama()
    regroup(folder, by_group(32))
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": ["Qwen3MoeForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config))
    facts = checkpoint_facts(folder)
    assert len(facts["refused"]) == 1
    assert "not 'Qwen3MoeForCausalLM', which has mixtures of experts" in facts["refused"][0]
    assert facts["config"] is None
    assert facts["conversion"] is None
    kinds = {kind.split(",")[0] for kind in facts["weights"]}
    assert kinds == {"ternary with one scale per group of 32 columns"}


def test_a_sparse_format_is_told(llama):
    folder, _ = llama()
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if "_proj" in name:
            tensors[name] = tensor.sign() * (torch.arange(tensor.shape[1]) % 4 != 1)
    save_file(tensors, path, metadata={"format": "pt"})
    assert list(checkpoint_facts(folder)["weights"]) == [
        "ternary with one scale per matrix, 3:4 sparse"
    ]


def test_a_file_of_a_folder_is_the_folder(tmp_path):
    folder = falcon_e(tmp_path / "model", revision="main").folder
    facts = checkpoint_facts(folder / "model.safetensors")
    assert facts["path"] == str(folder)


def test_padded_heads_are_told(tmp_path):
    facts = checkpoint_facts(bitnet_1bitllm(tmp_path / "m", heads=2, head_size=100).folder)
    assert (facts["head_size"], facts["config"]["head_size"]) == (100, 112)


def test_a_tokenizer_that_does_not_fit_is_refused(llama):
    folder, _ = llama()
    assert checkpoint_facts(folder)["tokenizer"] == "300 of the embedding's 320 ids"
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": 290}
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "model.embed_tokens.weight"
    tensors[name] = tensors[name][:290].clone()
    save_file(tensors, path, metadata={"format": "pt"})
    facts = checkpoint_facts(folder)
    assert "the tokenizer has the id 299" in facts["refused"][0]
    assert facts["conversion"] is None


def test_what_is_no_checkpoint_is_an_error(tmp_path):
    with pytest.raises(TercelError, match=r"holds no config\.json"):
        checkpoint_facts(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("generation_config.json", '{"do_sample": true, "temperature": "hot"}'),
        ("tokenizer_config.json", '{"chat_template": 3}'),
    ],
)
def test_malformed_settings_of_a_chat_are_refused_as_by_the_conversion(llama, name, text):
    folder, _ = llama()
    (folder / name).write_text(text)
    facts = checkpoint_facts(folder)
    assert name in facts["refused"][0]
    assert facts["conversion"] is None
