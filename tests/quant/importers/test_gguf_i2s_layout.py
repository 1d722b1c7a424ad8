import json

import numpy as np
import pytest
from gguf_file import write_gguf
from gguf_packers import i2s
from typer.testing import CliRunner

from tercel.cli.app import app
from tercel.errors import TercelError
from tercel.image import Image
from tercel.runtime import DEFAULT_MODEL, find_model
from tercel_quant.importers import Ternary, open_checkpoint

PARTS = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


def model(*, trained: bool, layers: int = 4) -> dict[str, np.ndarray]:
    """The trits of the shipped model, or random ones in their place."""
    random = np.random.default_rng(0)
    found = {}
    image = Image.open(find_model(DEFAULT_MODEL))
    for layer in range(layers):
        for part in PARTS:
            trits = np.array(image.ternary(f"layers.{layer}.{part}"))
            found[f"layers.{layer}.{part}"] = trits if trained else random.permuted(trits)
    return found


def write(path, matrices, layout):
    """A llama of I2_S matrices; Q and K in the order of llama.cpp."""
    tensors = {"token_embd.weight": (0, (512, 256), np.ones((512, 256), "<f4").tobytes())}
    for name, trits in matrices.items():
        _, layer, part = name.split(".")
        if part in ("q", "k"):
            halves = trits.reshape(4, 2, 32, 256)
            trits = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(256, 256))
        data = i2s(trits, layout, 0.625)
        tensors[f"blk.{layer}.{PARTS[part]}.weight"] = (36, trits.shape, data)
        for norm in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{norm}.weight"] = (0, (256,), np.ones(256, "<f4").tobytes())
    tensors["output_norm.weight"] = (0, (256,), np.ones(256, "<f4").tobytes())
    keys = {
        "block_count": len(matrices) // len(PARTS),
        "embedding_length": 256,
        "feed_forward_length": 768,
        "context_length": 64,
        "vocab_size": 512,
        "attention.head_count": 4,
        "attention.layer_norm_rms_epsilon": 1e-5,
    }
    metadata = {"general.architecture": "llama"} | {f"llama.{k}": v for k, v in keys.items()}
    return write_gguf(path, metadata, tensors)


@pytest.mark.parametrize("layout", ["x86", "arm", "rows"])
def test_weights_of_a_trained_model_tell_the_layout(tmp_path, layout):
    matrices = model(trained=True)
    file = open_checkpoint(write(tmp_path / "m.gguf", matrices, layout))
    assert file.description == (
        f"GGUF llama, tensors: 10 F32, 28 I2_S (of the layout {layout}, told by the weights)"
    )
    assert file.trained_ternary
    for name, trits in matrices.items():
        matrix = file.matrix(name)
        assert isinstance(matrix, Ternary)
        assert matrix.scale == 0.625
        assert np.array_equal(matrix.trits.numpy(), trits)


def test_weights_that_tell_nothing_need_the_layout(tmp_path):
    matrices = model(trained=False, layers=1)
    path = write(tmp_path / "m.gguf", matrices, "arm")
    with pytest.raises(
        TercelError, match=r"choose one of x86, arm, rows with `tercel quantize --i2s"
    ):
        open_checkpoint(path)
    file = open_checkpoint(path, i2s_layout="arm")
    assert file.description.endswith("7 I2_S (of the layout arm)")
    assert np.array_equal(file.matrix("layers.0.down").trits.numpy(), matrices["layers.0.down"])


def test_option_of_the_command_line(tmp_path):
    path = write(tmp_path / "m.gguf", model(trained=False, layers=1), "rows")
    command = ["quantize", str(path), "-o", str(tmp_path / "m.tercel"), "--i2s-layout"]
    result = CliRunner().invoke(app, [*command, "mips"])
    assert result.exit_code == 2
    assert "the I2_S layout must be one of x86, arm, rows, not 'mips'" in result.stderr
    result = CliRunner().invoke(app, [*command, "rows"])
    assert result.exit_code == 0, result.stderr
    assert Image.open(tmp_path / "m.tercel").weight_scale("layers.0.up") == 0.625


def test_inspect_and_eval_take_the_layout_too(tmp_path):
    path = write(tmp_path / "m.gguf", model(trained=False, layers=1), "rows")
    result = CliRunner().invoke(app, ["inspect", str(path), "--json"])
    assert result.exit_code == 2
    assert "choose one of x86, arm, rows with" in result.stderr
    result = CliRunner().invoke(app, ["inspect", str(path), "--json", "--i2s-layout", "rows"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["layout"].endswith("7 I2_S (of the layout rows)")
    text = tmp_path / "text.txt"
    text.write_text("The people of the United States. " * 20)
    command = ["eval", DEFAULT_MODEL, "--text", str(text), "--tokens", "64", "--context", "32"]
    command += ["--arithmetic", "unquantised", "--i2s-layout", "rows"]
    result = CliRunner().invoke(app, [*command, "--checkpoint", str(path)])
    assert "is not what" in result.stderr  # the layout was taken; it is another model
    result = CliRunner().invoke(app, command)
    assert result.stderr == "error: --i2s-layout is of a checkpoint; give --checkpoint too\n"
    result = CliRunner().invoke(app, ["inspect", DEFAULT_MODEL, "--i2s-layout", "rows"])
    assert result.stderr == "error: only GGUF files have I2_S tensors; leave out --i2s-layout\n"


def test_layout_without_such_tensors_is_refused(llama, tmp_path):
    folder, _ = llama()
    with pytest.raises(TercelError, match="only GGUF files have I2_S tensors"):
        open_checkpoint(folder, i2s_layout="x86")
