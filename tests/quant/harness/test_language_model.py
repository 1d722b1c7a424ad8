"""The harness's requests against a plain computation, and against its own model of transformers."""

import numpy as np
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, random_image
from tercel.runtime import GenerationConfig, Generator, TextTokenizer
from tercel_quant.evaluate import device_losses
from tercel_quant.harness import TercelLM

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore::FutureWarning")

PAIRS = [
    ("the cat sat on the", " mat"),
    ("the cat sat on the", " sea"),
    ("the cat sat on the", " red house"),
    ("the cat sat on ", "the mat"),
    ("", "the dog"),
    ("0 1", " 2 3\n"),
    ("the cat", " sat on the mat"),
    ("the " * 90, "sea"),
]


@pytest.fixture
def model(image):
    return TercelLM(str(image.path), nodes=16)


def plain(image, tokens, count):
    """Losses of the last ``count`` tokens, computed by the code of perplexity."""
    device = EmulatorDevice(image, nodes=64)
    return device_losses(device, torch.tensor([tokens]))[0].numpy()[-count:]


def test_likelihoods_are_those_of_perplexity(model, image, ask):
    found = model.loglikelihood(ask(*PAIRS), disable_tqdm=True)
    for (context, continuation), (score, greedy) in zip(PAIRS, found, strict=True):
        if context:
            before, after = model._encode_pair(context, continuation)
        else:
            before, after = [0], model.tok_encode(continuation)
        whole = (before + after)[-65:]
        losses = plain(image, whole, len(after))
        assert score == pytest.approx(-float(losses.astype(np.float64).sum()), rel=1e-6)
        device = EmulatorDevice(image)
        device.prefill(whole[: len(whole) - len(after) - 1])
        argmax = device.run_pass(whole[len(whole) - len(after) - 1 : -1]).argmax
        assert greedy == (argmax.tolist() == after)


def test_a_shared_context_is_read_once(model, ask):
    text = "the cat sat on the mat and the dog ran to the"
    requests = ask(*[(text, f" {word}") for word in ("mat", "sea", "dog", "house")])
    before = model._runs.counters
    model.loglikelihood(requests, disable_tqdm=True)
    spent = model._runs.counters - before
    # Continuations of one token differ in their last token alone.
    tokens = [model.tok_encode(" mat"), *map(model.tok_encode, (" sea", " dog", " house"))]
    context = len(model.tok_encode(text))
    distinct = {tuple(each[:-1]) for each in tokens}
    assert spent.nodes <= context + sum(map(len, distinct)) + len(distinct) - 1
    assert spent.nodes < 2 * context


def test_a_text_is_scored_window_by_window(model, image, ask):
    text = "the cat sat on the mat and the dog ran to the red house by the sea\n" * 6
    tokens = model.tok_encode(text)
    assert len(tokens) > 64
    windows = [([0, *tokens[:63]], tokens[:64])]
    for start in range(64, len(tokens), 64):
        end = min(start + 64, len(tokens))
        windows.append((tokens[end - 65 : end - 1], tokens[start:end]))
    expected = 0.0
    for read, target in windows:
        expected -= float(plain(image, [*read, target[-1]], len(target)).astype(np.float64).sum())
    [found, other] = model.loglikelihood_rolling(ask((text,), ("the",)), disable_tqdm=True)
    assert found == pytest.approx(expected, rel=1e-6)
    assert other == model.loglikelihood(ask(("", "the")), disable_tqdm=True)[0][0]


def test_transformers_scores_the_same_tokens(model, checkpoint, ask):
    """Its arithmetic is float32; activations and cache of the device are int8."""
    network = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    other = HFLM(
        pretrained=network, tokenizer=AutoTokenizer.from_pretrained(checkpoint), max_length=64
    )
    # The harness's model mixes up divisions of one text into context and continuation.
    requests = ask(*[pair for index, pair in enumerate(PAIRS) if index not in (0, 3)])
    ours, theirs = (
        np.array([score for score, _ in each.loglikelihood(requests, disable_tqdm=True)])
        for each in (model, other)
    )
    assert ours == pytest.approx(theirs, rel=0.01)
    texts = ask(("the cat sat on the mat\n" * 12,), ("0 1 2",))
    assert model.loglikelihood_rolling(texts, disable_tqdm=True) == pytest.approx(
        other.loglikelihood_rolling(texts, disable_tqdm=True), rel=0.01
    )
    answers = ask(*[(text, {"until": ["the", "\n"], "max_gen_toks": 8}) for text, _ in PAIRS[:3]])
    assert model.generate_until(answers) == other.generate_until(answers)


def test_answers_end_at_their_strings(model, image, ask):
    tokenizer = TextTokenizer.of_image(image)
    generator = Generator(EmulatorDevice(image), tokenizer)
    prompt = tokenizer.encode("the cat")
    config = GenerationConfig(max_tokens=8)
    whole = "".join(piece.text for piece in generator.respond(prompt, config))
    stop = whole[3:5]
    found = model.generate_until(
        ask(
            ("the cat", {"until": [], "max_gen_toks": 8}),
            ("the cat", {"until": ["", stop, "x<end>"], "max_gen_toks": 8, "do_sample": False}),
            ("the cat", {"until": stop, "max_gen_toks": 8, "temperature": 0.0}),
            ("the " * 90 + "cat", {"max_gen_toks": 1}),
        ),
        disable_tqdm=True,
    )
    assert found[:3] == [whole, whole[: whole.index(stop)], whole[: whole.index(stop)]]
    # Scoring in between does not disturb answers.
    model.loglikelihood(ask(("the cat", " sat")), disable_tqdm=True)
    again = ask(("the cat", {"max_gen_toks": 8}), ("the", {"max_gen_toks": 8, "do_sample": False}))
    assert model.generate_until(again, disable_tqdm=True)[0] == whole
    sampled = ask(("the cat", {"max_gen_toks": 8, "do_sample": True, "temperature": 3.0}))
    assert model.generate_until(sampled, disable_tqdm=True) != [whole]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 4, "penalty": 1}, "asks for num_beams, penalty in its answers, which"),
        ({"max_gen_toks": 64}, "wants answers of 64 tokens, more than the context of 64 leaves"),
    ],
)
def test_answers_that_tercel_cannot_give(model, ask, settings, message):
    with pytest.raises(TercelError, match=message):
        model.generate_until(ask(("the", settings)), disable_tqdm=True)


def test_continuations_that_cannot_be_scored(model, ask):
    with pytest.raises(TercelError, match="the task gives an empty continuation"):
        model.loglikelihood(ask(("the", "")), disable_tqdm=True)
    with pytest.raises(TercelError, match="tokens, more than the context of 64"):
        model.loglikelihood(ask(("a", " b" * 70)), disable_tqdm=True)


def test_a_chat_is_asked_through_the_template(image, tmp_path, model):
    path = tmp_path / "chat.tercel"
    chat = ChatFormat(
        template="{% for m in messages %}[{{ m.content }}]{% endfor %}"
        "{% if add_generation_prompt %}>{% endif %}"
    )
    random_image(path, image.config, tokenizer=image.tokenizer, chat=chat)
    talker = TercelLM(str(path))
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": " b "}]
    assert talker.apply_chat_template(history) == "[a][ b ]>"
    assert talker.apply_chat_template(history, add_generation_prompt=False) == "[a][ b"
    assert talker.chat_template(True) == chat.template
    assert talker.tokenizer_name == f"{image.config.name}-{Image.open(path).checksum[:16]}"
    with pytest.raises(TercelError, match="has no chat template"):
        model.apply_chat_template(history)


def test_a_model_without_end_token_is_refused(tmp_path, image):
    import dataclasses

    path = tmp_path / "endless.tercel"
    config = dataclasses.replace(image.config, eos_tokens=(), bos_token=None)
    random_image(path, config, tokenizer=image.tokenizer)
    with pytest.raises(TercelError, match="has neither a begin nor an end token, and one must"):
        TercelLM(str(path))
