"""A random ternary Llama, its image, and tasks of the harness in local files."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tercel.image import Image
from tercel_quant.convert import convert

WORDS = "the cat sat on the mat and the dog ran to the red house by the sea 0 1 2 3\n" * 20


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A folder of a Llama whose matrices have one ternary scale each."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    model = LlamaForCausalLM(
        LlamaConfig(
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=288,
            max_position_embeddings=64,
            bos_token_id=None,
            eos_token_id=0,
            tie_word_embeddings=True,
        )
    )
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name:
                trits = torch.randint(-1, 2, weight.shape, generator=generator)
                weight.copy_(trits * 0.1)
            elif weight.dim() == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image(checkpoint, tmp_path_factory) -> Image:
    path = tmp_path_factory.mktemp("image") / "llama.tercel"
    convert(checkpoint, path)
    return Image.open(path)


@pytest.fixture
def ask() -> Callable:
    """Requests of the harness from their arguments."""
    return lambda *arguments: [SimpleNamespace(args=each) for each in arguments]


@pytest.fixture(scope="session")
def tasks(tmp_path_factory) -> Path:
    """A folder with a task of each kind, and their documents."""
    folder = tmp_path_factory.mktemp("tasks")
    documents = [
        {"question": "the cat sat on the", "choices": [" mat", " sea", " house 1"], "answer": 0},
        {"question": "the dog ran to the red", "choices": [" cat", " house", " 2"], "answer": 1},
        {"question": "0 1 2", "choices": [" 3", " dog", " the mat"], "answer": 0},
    ]
    data = folder / "documents.jsonl"
    data.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    head = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "metadata": {"version": 1.0},
    }
    choice = head | {
        "task": "local_choice",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    answer = head | {
        "task": "local_answer",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{choices[0]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    }
    rolling = head | {
        "task": "local_text",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    }
    for task in (choice, answer, rolling):
        (folder / f"{task['task']}.yaml").write_text(json.dumps(task))  # JSON is YAML
    return folder
