"""The model in the package: it is there, it fits, and its text is the same bits everywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tercel
from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.image import Image
from tercel.runtime import (
    DEFAULT_MODEL,
    GenerationConfig,
    Generator,
    TextTokenizer,
    find_model,
)
from tercel.sampling import SamplingConfig
from tercel.speculation import DraftBudget, DraftState
from tercel.speculation.drafter_file import drafter_path
from tercel.speculation.drafters.ngram import NgramDrafter
from tercel.speculation.methods import DraftSources, open_speculator

MODELS = Path(tercel.__file__).parent / "models"
GOLDEN = (
    " of the United States.\n\nThe United States has been informed by the United States and the "
    "United States, and the United States has been established by the United States and the United "
    "States. The United States has been established by the United"
)
"""Greedy continuation of the prompt; recorded from this model, equal on every device."""
PROMPT = "The first duty of a government"


@pytest.fixture(scope="module")
def image():
    return Image.open(find_model(DEFAULT_MODEL))


def test_it_is_the_small_preset_with_its_tokenizer(image):
    assert image.config == PRESETS["small"]
    assert image.config.eos_tokens == (0,)
    assert image.tokenizer is not None
    assert image.path.stat().st_size <= 16 << 20


@pytest.mark.parametrize("nodes", [1, 8])
def test_its_greedy_text_is_recorded(image, nodes):
    generator = Generator(EmulatorDevice(image, nodes=nodes), TextTokenizer.of_image(image))
    pieces = generator.generate(PROMPT, GenerationConfig(max_tokens=48))
    assert "".join(piece.text for piece in pieces) == GOLDEN


METHOD_OF_KIND = {"ngram": "store"}
"""Methods whose files have another name."""
TRAINED = sorted(path.name.split(".")[1] for path in MODELS.glob("small.*.drafter"))


@pytest.mark.parametrize("kind", TRAINED)
def test_its_trained_drafters_give_the_same_text_in_fewer_passes(image, kind):
    device, method = EmulatorDevice(image), METHOD_OF_KIND.get(kind, kind)
    speculator = open_speculator(method, DraftSources(image=image, device=device))
    generator = Generator(device, TextTokenizer.of_image(image), speculator)
    pieces = generator.generate(PROMPT, GenerationConfig(max_tokens=48))
    assert "".join(piece.text for piece in pieces) == GOLDEN
    found = generator.statistics.speculation
    assert found.failures == 0
    assert found.emitted / found.rounds > 1.1


def test_its_trained_drafters_are_small():
    sizes = [path.stat().st_size for path in MODELS.glob("*.drafter")]
    assert 0 < sum(sizes) <= 16 << 20


def test_a_kept_prompt_is_continued_with_the_same_text(image):
    """The example of the documentation."""
    kept, rest = PROMPT[:14], PROMPT[14:]
    tokenizer, device = TextTokenizer.of_image(image), EmulatorDevice(image)
    tokens = tokenizer.encode(kept)
    device.prefill(tokens)
    cache = device.save()
    device.prefill(tokens)
    for restored in (device, EmulatorDevice(image, nodes=2)):
        restored.restore(cache, len(tokens))
        pieces = Generator(restored, tokenizer).generate(rest, GenerationConfig(max_tokens=48))
        assert "".join(piece.text for piece in pieces) == GOLDEN


def test_the_command_line_runs_it_by_default():
    command = [sys.executable, "-m", "tercel", "run", "-p", PROMPT, "-n", "8"]
    command += ["--temperature", "0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["text"]
    assert GOLDEN.startswith(last["text"])


def test_its_store_of_ngrams_is_there_and_knows_its_text(image):
    """The golden text is greedy; the store was counted from the corpus of the model."""
    path = drafter_path(image.path, "ngram")
    assert path.stat().st_size <= 8 << 20
    text = TextTokenizer.of_image(image).encode(PROMPT + GOLDEN)
    drafter, right = NgramDrafter.open(image, EmulatorDevice(image, nodes=1, context=8)), 0
    for end in range(8, len(text) - 1):
        state = DraftState(tokens=text[:end], position=end - 1, sampling=SamplingConfig())
        right += text[end] in drafter.propose(state, DraftBudget(nodes=3, depth=1)).tokens
    assert right / (len(text) - 9) > 0.5


@pytest.mark.parametrize(("method", "least"), [("hydra", 2.0), ("medusa", 1.5)])
def test_its_trained_heads_draft_its_text(image, method, least):
    """The text is that of plain decoding, in fewer passes."""
    device, tokenizer = EmulatorDevice(image), TextTokenizer.of_image(image)
    config = GenerationConfig(
        sampling=SamplingConfig(temperature=0.8, seed=7), max_tokens=64, ignore_eos=True
    )
    plain = [piece.token for piece in Generator(device, tokenizer).generate(PROMPT, config)]
    device.reset()
    speculator = open_speculator(method, DraftSources(image=image, device=device))
    generator = Generator(device, tokenizer, speculator)
    assert [piece.token for piece in generator.generate(PROMPT, config)] == plain
    found = generator.statistics.speculation
    assert found.failures == 0
    assert found.tokens_per_round > least
