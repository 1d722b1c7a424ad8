"""Files of a checkpoint that an image must not replace."""

from tercel_quant.importers.input_files import checkpoint_files


def test_a_folder_has_those_that_its_reader_opens(tmp_path):
    names = {"config.json", "tokenizer.json", "model.safetensors"}
    for name in {*names, "model.tercel", "README.md"}:
        (tmp_path / name).touch()
    assert {path.name for path in checkpoint_files(tmp_path)} == names


def test_a_file_is_its_own_and_trained_weights_have_a_tokenizer(tmp_path):
    assert checkpoint_files(str(tmp_path / "a.gguf")) == [tmp_path / "a.gguf"]
    found = checkpoint_files(tmp_path / "a.safetensors")
    assert found == [tmp_path / "a.safetensors", tmp_path / "tokenizer.json"]
