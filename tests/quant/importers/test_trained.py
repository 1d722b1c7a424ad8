import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tercel.config import PRESETS
from tercel.device import Ask
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel_quant.bitlinear import ternarise, ternarise_rows
from tercel_quant.convert import convert
from tercel_quant.importers import open_checkpoint
from tercel_quant.model import Transformer
from tercel_quant.reference import head_logits, hidden_states
from tercel_quant.training_state import save_weights
from tercel_quant.weights import ImageWeights

CONFIGS = {
    "tied": PRESETS["tiny"],
    "untied_sub_norms": dataclasses.replace(
        PRESETS["tiny"], tied_head=False, sub_norms=True, activation="relu2"
    ),
}


@pytest.fixture(params=CONFIGS)
def model(request):
    model = Transformer(CONFIGS[request.param])
    model.initialise(seed=2)
    return model


@pytest.mark.parametrize("granularity", ["row", "group"])
def test_an_image_holds_the_rows_and_groups_that_were_trained(tmp_path, granularity):
    """The bits of the forward pass in training are those of the image; with q/k-norm as well."""
    config = dataclasses.replace(
        PRESETS["tiny"], ffn_size=320, granularity=granularity, qk_norm=True
    )
    model = Transformer(config)
    model.initialise(seed=3)
    save(model, tmp_path / "weights.safetensors")
    convert(tmp_path / "weights.safetensors", tmp_path / "model.tercel")
    image = Image.open(tmp_path / "model.tercel")
    assert image.config == config
    down = model.layers[1].get_submodule("down")
    trits, scale, multipliers = ternarise_rows(down.weight, granularity)
    assert np.array_equal(image.ternary("layers.1.down"), trits.numpy())
    assert np.array_equal(image.row_scales("layers.1.down"), scale.numpy())
    if multipliers is not None:
        assert np.array_equal(image.multipliers("layers.1.down"), multipliers.numpy())
    tokens = torch.randint(96, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.reference_logits(tokens)[0]
    weights = ImageWeights(image)
    stream = hidden_states(weights, tokens)[0]
    found = torch.cat(list(head_logits(weights, stream)))
    # The image's embedding rows are int8.
    assert (found - expected).square().mean() < 1e-3 * expected.square().mean()
    device = EmulatorDevice(image, nodes=60)
    result = device.run_pass(tokens[0].tolist(), ask=Ask(logits=tuple(range(60))))
    found = torch.stack([torch.from_numpy(result.logits[node].copy()) for node in range(60)])
    assert (found - expected).square().mean() < 2e-3 * expected.square().mean()
    with pytest.raises(TercelError, match=f"was trained with the granularity '{granularity}'"):
        convert(tmp_path / "weights.safetensors", tmp_path / "m.tercel", granularity="tensor")


def save(model, path, precision="ternary"):
    save_weights(path, model.config, model.state_dict(), precision=precision)


def test_an_image_holds_what_was_trained(tmp_path, model):
    save(model, tmp_path / "weights.safetensors")
    convert(tmp_path / "weights.safetensors", tmp_path / "model.tercel")
    image = Image.open(tmp_path / "model.tercel")
    assert image.config == model.config
    trits, scale = ternarise(model.layers[1].get_submodule("down").weight)
    assert (image.ternary("layers.1.down") == trits.numpy()).all()
    assert image.weight_scale("layers.1.down") == scale


def test_the_device_agrees_with_the_trained_model(tmp_path, model):
    """The same argmax nearly everywhere; exact agreement is the emulator's and the RTL's."""
    save(model, tmp_path / "weights.safetensors")
    convert(tmp_path / "weights.safetensors", tmp_path / "model.tercel")
    tokens = torch.randint(96, (1, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model.reference_logits(tokens)[0]
    device = EmulatorDevice(Image.open(tmp_path / "model.tercel"), nodes=60)
    result = device.run_pass(tokens[0].tolist(), ask=Ask(logits=tuple(range(60))))
    found = torch.stack([torch.from_numpy(result.logits[node]) for node in range(60)])
    error = (found - expected).square().mean() / expected.square().mean()
    assert error < 2e-3
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.9


def test_a_float_model_is_not_taken_for_a_ternary_one(tmp_path, model):
    save(model, tmp_path / "weights.safetensors", precision="float")
    with pytest.raises(TercelError, match="was not trained ternary; choose a method"):
        convert(tmp_path / "weights.safetensors", tmp_path / "model.tercel")
    assert not (tmp_path / "model.tercel").exists()


def test_its_tokenizer_lies_beside_it(tmp_path, model):
    save(model, tmp_path / "weights.safetensors")
    checkpoint = open_checkpoint(tmp_path / "weights.safetensors")
    assert checkpoint.tokenizer() is None
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    assert checkpoint.tokenizer() == b"{}"


def test_refusals(tmp_path, model):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(TercelError, match="is no readable safetensors file"):
        open_checkpoint(path)
    save_file(model.state_dict(), path)
    with pytest.raises(TercelError, match="tercel's trainer did not write it"):
        open_checkpoint(path)
    save_weights(path, model.config, model.state_dict(), precision="int3")
    with pytest.raises(TercelError, match="2 layers in the precision 'int3'"):
        open_checkpoint(path)
    large = dataclasses.replace(model.config, layers=10**9)
    save_weights(path, large, model.state_dict(), precision="ternary")
    with pytest.raises(TercelError, match="1000000000 layers in the precision 'ternary', but it"):
        open_checkpoint(path)
    state = model.state_dict()
    del state["norm.weight"]
    save_weights(path, model.config, state, precision="ternary")
    with pytest.raises(TercelError, match=r"lacks 1 tensors: norm\.weight"):
        open_checkpoint(path)
    state = model.state_dict()
    state["layers.0.q.weight"][3, 4] = float("nan")
    save_weights(path, model.config, state, precision="ternary")
    with pytest.raises(TercelError, match=r"layers.0.q.weight holds 1 values .* at \[3, 4\]"):
        open_checkpoint(path).matrix("layers.0.q")
