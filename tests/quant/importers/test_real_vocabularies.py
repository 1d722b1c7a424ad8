"""Published vocabularies, out of the source package of llama-cpp-python on PyPI (76 MB).

Beside each lies a list of texts with the tokens that its own tokenizer of Hugging Face gives,
made by llama.cpp's maintainers.
"""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tercel_quant.importers.gguf_header import read_header
from tercel_quant.importers.gguf_tokenizer import tokenizer_json

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[3] / "build" / "vocabularies"
PACKAGE = "llama-cpp-python==0.3.36"
NAMES = ("gpt-2", "llama-bpe", "llama-spm", "qwen2")
BETWEEN = "\n__ggml_vocab_test__\n"


@pytest.fixture(scope="module")
def folder() -> Path:
    """A folder with the files, which are downloaded once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = [f"ggml-vocab-{name}.gguf{end}" for name in NAMES for end in ("", ".inp", ".out")]
    if all((FOLDER / name).exists() for name in wanted):
        return FOLDER
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--no-binary", "llama-cpp-python", "--dest", str(FOLDER), PACKAGE]
    if subprocess.run(command, check=False, timeout=600).returncode:
        pytest.skip(f"the package {PACKAGE} cannot be downloaded")
    with tarfile.open(next(FOLDER.glob("*.tar.gz"))) as package:
        for member in package:
            if (name := Path(member.name).name) in wanted:
                file = package.extractfile(member)
                assert file is not None
                (FOLDER / name).write_bytes(file.read())
    return FOLDER


@pytest.mark.parametrize("name", NAMES)
def test_texts_have_the_tokens_of_their_own_tokenizer(folder, name):
    path = folder / f"ggml-vocab-{name}.gguf"
    data = tokenizer_json(read_header(path).metadata)
    assert data is not None
    tokenizer = Tokenizer.from_str(data.decode())
    # `read_text` would turn a carriage return of a text into a line feed.
    texts = Path(f"{path}.inp").read_bytes().decode().split(BETWEEN)
    lines = Path(f"{path}.out").read_text().split("\n")
    assert len(texts) == len(lines) == 47
    for text, line in zip(texts, lines, strict=True):
        expected = [int(token) for token in line.split()]
        assert tokenizer.encode(text, add_special_tokens=False).ids == expected, repr(text)
