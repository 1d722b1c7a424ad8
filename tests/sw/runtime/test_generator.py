import dataclasses
from itertools import takewhile

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from tercel.config import PRESETS
from tercel.device import Counters, PassInterruptedError
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import GenerationConfig, Generator, TextTokenizer
from tercel.sampling import SamplingConfig, gumbel
from tercel.speculation import Speculator

EOS = 256
CONFIG = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(EOS,), context=128)


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


def scripted(make_device, text, **kwargs):
    """A device that generates the bytes of ``text`` (including the prompt), then the end token."""
    return make_device(script=[*text.encode(), *[EOS] * 64], **kwargs)


def test_the_text_ends_with_the_end_token(make_device, tokenizer):
    generator = Generator(scripted(make_device, "Hello, w\u00f6rld"), tokenizer)
    pieces = list(generator.generate("Hel"))
    assert text_of(pieces) == "lo, w\u00f6rld"
    assert pieces[-1].token == EOS
    assert generator.finish_reason == "eos"


def test_a_running_generation_has_no_finish_reason(make_device, tokenizer):
    generator = Generator(scripted(make_device, "abcdef"), tokenizer)
    list(generator.generate("ab", GenerationConfig(max_tokens=1)))
    assert generator.finish_reason == "length"
    generator.generate("")
    assert generator.finish_reason is None


def test_a_two_stage_head_is_refused_before_the_text_changes(tmp_path, make_device, tokenizer):
    device = scripted(make_device, "abcdef")
    generator = Generator(device, tokenizer)
    with pytest.raises(TercelError, match="two_stage needs an image with a shortlist"):
        generator.generate("ab", GenerationConfig(two_stage=True))
    random_image(tmp_path / "listed.tercel", dataclasses.replace(CONFIG, shortlist=32))
    generator = Generator(EmulatorDevice(Image.open(tmp_path / "listed.tercel")), tokenizer)
    with pytest.raises(TercelError, match=r"must be greedy or have a top_k in 1\.\.32"):
        generator.respond(
            [1, 2], GenerationConfig(two_stage=True, sampling=SamplingConfig(temperature=1.0))
        )
    assert generator.tokens == ()


@pytest.mark.parametrize("end", [3, EOS, 0])
def test_any_of_several_end_tokens_ends_the_text(make_device, tokenizer, end):
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(EOS, 3, 0))
    device = make_device(script=[*b"abcd", end, *b"efgh"], config=config)
    generator = Generator(device, tokenizer)
    pieces = list(generator.generate("ab"))
    assert pieces[-1].token == end
    assert [piece.token for piece in pieces] == [*b"cd", end]
    assert generator.finish_reason == "eos"


def test_the_end_token_may_be_ignored(make_device, tokenizer):
    generator = Generator(scripted(make_device, "Hello"), tokenizer)
    config = GenerationConfig(ignore_eos=True, max_tokens=6)
    tokens = [piece.token for piece in generator.generate("Hel", config)]
    assert tokens == [*b"lo", *[EOS] * 4]
    assert generator.finish_reason == "length"


def test_stop_strings_cross_tokens_and_do_not_leak(make_device, tokenizer):
    generator = Generator(scripted(make_device, "one two three"), tokenizer)
    config = GenerationConfig(stop=("o th", "zzz"))
    assert text_of(generator.generate("one", config)) == " tw"
    assert generator.finish_reason == "stop"


def test_a_special_token_is_a_stop_string(make_device, tokenizer):
    """The special token has no text and is not an end token of this model."""
    device = scripted(make_device, "one two", config=dataclasses.replace(CONFIG, eos_tokens=()))
    generator = Generator(device, tokenizer)
    stop = GenerationConfig(stop=("two thr", "<end>"))
    assert text_of(generator.generate("one", stop)) == " two"
    assert generator.finish_reason == "stop"
    assert generator.statistics.generated_tokens == 5


def test_a_special_token_spelled_out_is_a_stop_string_too(make_device, tokenizer):
    generator = Generator(scripted(make_device, "one <end> two"), tokenizer)
    assert text_of(generator.generate("one", GenerationConfig(stop=("<end>",)))) == " "
    assert generator.finish_reason == "stop"


def test_an_ignored_end_token_may_be_a_stop_string(make_device, tokenizer):
    generator = Generator(scripted(make_device, "one two"), tokenizer)
    stop = GenerationConfig(stop=("<end>",), ignore_eos=True)
    assert text_of(generator.generate("one", stop)) == " two"
    assert generator.finish_reason == "stop"


def test_length_releases_what_was_held_back(make_device, tokenizer):
    generator = Generator(scripted(make_device, "one two"), tokenizer)
    config = GenerationConfig(stop=(" twig",), max_tokens=3)
    assert [piece.text for piece in generator.generate("one", config)] == ["", "", " tw"]
    assert generator.finish_reason == "length"


def test_a_full_context_ends_the_text_cleanly(make_device, tokenizer):
    device = make_device(script=[*b"a" * 64], context=8)
    generator = Generator(device, tokenizer)
    assert text_of(generator.generate("aaa")) == "a" * 6
    assert generator.finish_reason == "context"
    assert device.length == 8


@pytest.mark.parametrize("length", [1, 2, 4, 5, 8])
def test_a_prompt_may_fill_the_context(make_device, tokenizer, length):
    device = make_device(script=[*b"a" * 64], context=length)
    assert text_of(Generator(device, tokenizer).generate("a" * length)) == "a"


def test_a_prompt_beyond_the_context_is_refused_whole(make_device, tokenizer):
    device = make_device(context=8)
    generator = Generator(device, tokenizer)
    with pytest.raises(TercelError, match="9 tokens, but of the context's 8 positions 8 are free"):
        generator.generate("123456789")
    assert device.sequence == []
    list(generator.generate("12345678"))


def test_prompts_that_make_no_token_or_foreign_ones_are_refused(make_device, tokenizer):
    with pytest.raises(TercelError, match="the prompt is empty"):
        Generator(make_device(), tokenizer).generate("")
    small = make_device(config=dataclasses.replace(PRESETS["tiny"], vocab_size=97))
    with pytest.raises(TercelError, match=r"in 0\.\.96, but one is 97"):
        Generator(small, tokenizer).generate("abc")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be 1 or more, not 0"),
        ({"stop": ("a", "")}, "at least one character, but one is empty"),
        ({"stop": ("a<end>",)}, "must stand alone, but '<end>' is a part of 'a<end>'"),
    ],
)
def test_rules_of_the_config(make_device, tokenizer, values, message):
    with pytest.raises(TercelError, match=message):
        Generator(make_device(), tokenizer).generate("a", GenerationConfig(**values))


@pytest.mark.parametrize("nodes", [1, 3, 4, 100])
def test_the_pass_that_ends_the_prompt_gives_the_first_token(make_device, tokenizer, nodes):
    """Only passes that give a token need the head."""
    device = scripted(make_device, "abcdefghi", nodes=nodes)
    assert text_of(Generator(device, tokenizer).generate("abcdef")) == "ghi"
    needed = [ask.needs_head for ask in device.asks]
    assert needed == [False] * (-(-6 // nodes) - 1) + [True] * 4
    assert device.sequence == list(b"abcdefghi")


@pytest.mark.parametrize("top_k", [5, 40, 0])
def test_text_depends_on_seed_and_position_only(make_device, tokenizer, top_k):
    sampling = SamplingConfig(temperature=1.0, top_k=top_k, top_p=0.9, min_p=0.01, seed=3)
    config = GenerationConfig(sampling=sampling, max_tokens=20)

    def tokens(sampling=sampling, **kwargs):
        generator = Generator(make_device(**kwargs), tokenizer)
        changed = dataclasses.replace(config, sampling=sampling)
        return [piece.token for piece in generator.generate("abc", changed)]

    assert tokens() == tokens(nodes=1) == tokens(top_k=2) == tokens(top_k=257)
    assert tokens() != tokens(dataclasses.replace(sampling, seed=4))
    generator = Generator(make_device(), tokenizer)
    first = GenerationConfig(sampling=sampling, max_tokens=9)
    second = GenerationConfig(sampling=sampling, max_tokens=11)
    halves = [*generator.generate("abc", first), *generator.generate("", second)]
    assert [piece.token for piece in halves] == tokens()


def test_noise_is_keyed_by_the_position_of_the_root(make_device, tokenizer):
    """With equal logits the noise alone decides."""
    device = make_device()
    device._logits = lambda sequence: np.zeros(257, np.float32)
    sampling = SamplingConfig(temperature=1.0, seed=3)
    config = GenerationConfig(sampling=sampling, max_tokens=8, ignore_eos=True)
    tokens = [piece.token for piece in Generator(device, tokenizer).generate("abc", config)]
    assert tokens == [np.argmax(gumbel(3, 2 + step, np.arange(257))) for step in range(8)]


def test_a_second_turn_appends(make_device, tokenizer):
    device = scripted(make_device, "ask: yes. why? so.")
    generator = Generator(device, tokenizer)
    stop = GenerationConfig(stop=(".",))
    assert text_of(generator.generate("ask:", stop)) == " yes"
    assert text_of(generator.generate(" why?", stop)) == " so"
    assert device.sequence == list(b"ask: yes. why? so")
    assert generator.statistics.prompt_tokens == 5
    generator.reset()
    assert device.sequence == []
    assert text_of(generator.generate("ask:", stop)) == " yes"


def test_the_tokenizers_first_token_comes_once_a_sequence(make_device, byte_tokenizer):
    theirs = Tokenizer.from_str(byte_tokenizer.decode())
    theirs.post_processor = TemplateProcessing(single="\x01 $A", special_tokens=[("\x01", 1)])
    tokenizer = TextTokenizer(theirs.to_str().encode())
    device = make_device(script=[1, *b"ab.cd."])
    generator = Generator(device, tokenizer)
    stop = GenerationConfig(stop=(".",))
    list(generator.generate("a", stop))
    list(generator.generate("c", stop))
    assert device.sequence == [1, *b"ab.cd"]
    generator.reset()
    list(generator.generate("a", stop))
    assert device.sequence == [1, *b"ab"]


def test_a_left_generation_ends_when_the_next_starts(make_device, tokenizer):
    generator = Generator(scripted(make_device, "abcdefgh"), tokenizer)
    left = generator.generate("ab")
    next(left)
    assert text_of(generator.generate("")) == "defgh"
    assert list(left) == []


def test_interrupt_ends_before_the_next_pass_and_releases_text(make_device, tokenizer):
    device = scripted(make_device, "abcdefgh")
    generator = Generator(device, tokenizer)
    pieces = []
    for piece in generator.generate("ab", GenerationConfig(stop=("deaf",))):
        pieces.append(piece)
        if piece.token == ord("e"):
            generator.interrupt()
    assert text_of(pieces) == "cde"
    assert pieces[-1].token is None
    assert generator.finish_reason == "interrupted"
    assert text_of(generator.generate("")) == "fgh"


def test_interrupt_ends_a_prefill(make_device, tokenizer):
    device = scripted(make_device, "abcdefghij", nodes=2)
    generator = Generator(device, tokenizer)
    pieces = generator.generate("abcdefg")
    generator.interrupt()
    assert list(pieces) == []
    assert device.sequence == []
    assert generator.finish_reason == "interrupted"
    assert generator.statistics.first_token_seconds is None
    assert text_of(generator.generate("")) == "hij"


@pytest.mark.parametrize(("at", "text"), [(0, ""), (1, ""), (4, "hi")])
def test_interrupt_ends_a_pass_that_may_last(make_device, tokenizer, monkeypatch, at, text):
    """The device ends the pass; the text has the earlier passes and can be continued."""
    device = scripted(make_device, "abcdefghijkl", nodes=3)
    generator, passes, run = Generator(device, tokenizer), [], device.run_pass

    def interrupted(*arguments, **options):
        passes.append(None)
        if len(passes) == at + 1:
            generator.interrupt()
            raise PassInterruptedError
        return run(*arguments, **options)

    monkeypatch.setattr(device, "run_pass", interrupted)
    assert text_of(generator.generate("abcdefg")) == text
    assert generator.finish_reason == "interrupted"
    left = GenerationConfig(max_tokens=5 - len(text))
    assert text + text_of(generator.generate("", left)) == "hijkl"


def test_the_device_is_told_of_an_interrupt(make_device, tokenizer, monkeypatch):
    device, told = scripted(make_device, "abc"), []
    monkeypatch.setattr(device, "interrupt", lambda: told.append(None))
    Generator(device, tokenizer).interrupt()
    assert told == [None]


def test_statistics(make_device, tokenizer):
    generator = Generator(scripted(make_device, "abcdefgh"), tokenizer)
    text_of(generator.generate("abcdef", GenerationConfig(max_tokens=2)))
    statistics = generator.statistics
    assert statistics.prompt_tokens == 6
    assert statistics.prefilled_tokens == 6
    assert (statistics.generated_tokens, statistics.decoded_tokens) == (2, 1)
    assert statistics.prefill == Counters(
        passes=2, nodes=6, tape_bytes_read=2000, kv_bytes_read=40, kv_bytes_written=60
    )
    assert statistics.decode == Counters(
        passes=1, nodes=1, tape_bytes_read=1000, kv_bytes_read=60, kv_bytes_written=10
    )
    assert statistics.tape_bytes_per_token == 1000
    assert statistics.kv_bytes_per_token == 60
    assert statistics.bytes_per_token == 1060
    assert statistics.prefill_seconds + statistics.decode_seconds > 0
    assert statistics.first_token_seconds is not None
    assert statistics.prefill_seconds < statistics.first_token_seconds
    assert statistics.tokens_per_second == 1 / statistics.decode_seconds
    assert statistics.to_dict()["bytes_per_token"] == 1060


def test_before_a_generation_there_is_nothing(make_device, tokenizer):
    generator = Generator(make_device(), tokenizer)
    assert generator.finish_reason is None
    values = generator.statistics.to_dict()
    assert values["generated_tokens"] == 0
    assert values["tokens_per_second"] is None
    assert values["bytes_per_token"] is None


def test_time_of_the_caller_is_not_counted(make_device, tokenizer, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("tercel.runtime.generator.perf_counter", lambda: next(clock))
    generator = Generator(scripted(make_device, "abcdef"), tokenizer)
    for _ in generator.generate("ab", GenerationConfig(max_tokens=3)):
        for _ in range(100):
            next(clock)
    assert generator.statistics.prefill_seconds == 2  # the pass, its commit
    assert generator.statistics.decode_seconds == 4
    assert generator.statistics.first_token_seconds == 2


def test_the_emulator_says_the_same_by_every_route(tmp_path, tokenizer):
    path = tmp_path / "bytes.tercel"
    config = dataclasses.replace(PRESETS["tiny"], vocab_size=257, eos_tokens=(EOS,))
    random_image(path, config, seed=1)
    image = Image.open(path)
    for temperature, top_k in ((0.0, 0), (0.8, 20), (0.8, 100)):
        sampling = SamplingConfig(temperature=temperature, top_k=top_k, seed=5)
        settings = GenerationConfig(sampling=sampling, max_tokens=12)
        texts = {
            tuple(
                piece.token
                for piece in Generator(EmulatorDevice(image, nodes=nodes), tokenizer).generate(
                    "abc", settings
                )
            )
            for nodes in (1, 3, 8)
        }
        assert len(texts) == 1


def passes(device):
    return device.counters.passes, device.counters.nodes


def test_a_response_computes_new_tokens_only(make_device, tokenizer):
    device = scripted(make_device, "system: ab?cd", nodes=4, context=64)
    generator = Generator(device, tokenizer)
    config = GenerationConfig(max_tokens=2)
    assert text_of(generator.respond([*b"system: ab?"], config)) == "cd"
    assert passes(device) == (3 + 1, 11 + 1)  # the second token of the answer was not yet read
    before = passes(device)
    list(generator.respond([*b"system: ab?cd and"], config))
    assert passes(device) == (before[0] + 2, before[1] + 5)
    assert generator.tokens == (*b"system: ab?cd and", EOS)
    assert bytes(device.sequence) == b"system: ab?cd and"


@pytest.mark.parametrize("other", ["system: xy?", "system", "system: ab?", "new", "system: ab?c"])
def test_a_response_to_other_tokens_is_that_of_an_empty_cache(make_device, tokenizer, other):
    config = GenerationConfig(sampling=SamplingConfig(temperature=1.0, seed=3), max_tokens=6)
    generator = Generator(make_device(nodes=4), tokenizer)
    list(generator.respond([*b"system: ab?"], config))
    shared = generator.tokens
    found = [piece.token for piece in generator.respond([*other.encode()], config)]
    fresh = Generator(make_device(nodes=4), tokenizer)
    assert found == [piece.token for piece in fresh.respond([*other.encode()], config)]
    assert generator.statistics.prefilled_tokens >= 1
    pairs = zip(shared[:-1], other.encode(), strict=False)
    kept = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    if other.startswith("system"):
        assert generator.statistics.prefilled_tokens == max(len(other) - kept, 1)


def test_a_response_that_does_not_fit_changes_nothing(make_device, tokenizer):
    device = make_device(nodes=4, context=16)
    generator = Generator(device, tokenizer)
    config = GenerationConfig(max_tokens=2)
    list(generator.respond([*b"abcdefgh"], config))
    kept = generator.tokens, device.length
    for tokens, message in (
        ([*b"abcdefgh", *b"x" * 9], "the prompt has 9 tokens, but of the context's 16 positions 8"),
        ([], "the prompt is empty"),
        ([999], "token"),
    ):
        with pytest.raises(TercelError, match=message):
            generator.respond(tokens, config)
        assert (generator.tokens, device.length) == kept


def test_drafters_forget_a_text_that_is_taken_back(make_device, tokenizer, monkeypatch):
    resets = []
    speculator = Speculator()
    monkeypatch.setattr(speculator, "reset", lambda: resets.append(1))
    generator = Generator(make_device(), tokenizer, speculator)
    config = GenerationConfig(max_tokens=2)
    list(generator.respond([*b"abcd"], config))
    list(generator.respond([*generator.tokens, *b"ef"], config))
    assert resets == []
    list(generator.respond([*b"abcd"], config))
    assert resets == [1]


def test_a_saved_sequence_goes_on_elsewhere(tmp_path, tokenizer):
    path = tmp_path / "m.tercel"
    random_image(path, CONFIG, seed=5)
    image = Image.open(path)
    config = GenerationConfig(sampling=SamplingConfig(temperature=1.0, seed=1), max_tokens=5)
    first = Generator(EmulatorDevice(image, nodes=4), tokenizer)
    list(first.respond([*b"one two"], config))
    cache, tokens = first.save(), first.tokens
    second = Generator(EmulatorDevice(image, nodes=8), tokenizer)
    second.restore(cache, tokens)
    more = [*tokens, *b" three"]
    texts = [[piece.token for piece in it.respond(more, config)] for it in (first, second)]
    assert texts[0] == texts[1]
    assert second.statistics.prefilled_tokens == len(b" three") + 1
    with pytest.raises(TercelError, match="needs their tokens, but there are 3"):
        second.restore(cache, tokens[:3])
