import json

import pytest

from tercel.config import PRESETS
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, SamplingFilters, random_image
from tercel.runtime import GenerationConfig, Generator, Piece, TextTokenizer
from tercel.sampling import SamplingConfig

PROMPT = ("--prompt", "ab")


def expected(model, prompt="ab", *, stop=(), max_tokens=20, **sampling):
    """The text that the runtime gives with the command's defaults."""
    image = Image.open(model)
    generator = Generator(EmulatorDevice(image), TextTokenizer.of_image(image))
    values = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "seed": 5, **sampling}
    config = GenerationConfig(sampling=SamplingConfig(**values), max_tokens=max_tokens, stop=stop)
    return "".join(piece.text for piece in generator.generate(prompt, config))


def test_standard_output_is_the_text(tercel, model):
    result = tercel("run", model, *PROMPT, "-n", "20", "--seed", "5")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == expected(model) + "\n"


def test_options_reach_the_sampler(tercel, model):
    options = ("--temperature", "1.5", "--top-k", "100", "--top-p", "0.7", "--min-p", "0.02")
    result = tercel("run", model, *PROMPT, "-n", "20", "--seed", "6", *options)
    text = expected(model, temperature=1.5, top_k=100, top_p=0.7, min_p=0.02, seed=6)
    assert result.stdout == text + "\n" != expected(model) + "\n"


def test_a_two_stage_head_draws_from_the_listed_rows(tercel, model, listed_model):
    options = ("-n", "20", "--seed", "5", "--top-k", "9", "--two-stage")
    result = tercel("run", listed_model, *PROMPT, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    image = Image.open(listed_model)
    generator = Generator(EmulatorDevice(image), TextTokenizer.of_image(image))
    sampling = SamplingConfig(temperature=0.8, top_k=9, top_p=0.95, seed=5)
    wanted = GenerationConfig(sampling=sampling, max_tokens=20, two_stage=True)
    assert result.stdout == "".join(each.text for each in generator.generate("ab", wanted)) + "\n"
    refused = tercel("run", model, *PROMPT, *options)
    assert refused.exit_code == 2
    assert "has none; make one with `tercel shortlist`" in refused.stderr


def test_a_random_seed_is_told_and_repeats_the_text(tercel, model):
    first = tercel("run", model, *PROMPT, "-n", "20", "--json", "--temperature", "2")
    end = json.loads(first.stdout.splitlines()[-1])
    again = tercel(
        "run", model, *PROMPT, "-n", "20", "--temperature", "2", "--seed", str(end["seed"])
    )
    assert again.stdout == end["text"] + "\n"
    other = tercel("run", model, *PROMPT, "-n", "20", "--json", "--temperature", "2")
    assert json.loads(other.stdout.splitlines()[-1])["text"] != end["text"]


def test_the_prompt_comes_from_a_pipe_without_its_last_newline(tercel, model):
    options = ("run", model, "-n", "20", "--seed", "5")
    assert tercel(*options, stdin="ab\n").stdout == expected(model) + "\n"
    assert tercel(*options, stdin="ab\n\n").stdout == expected(model, "ab\n") + "\n"


def test_stop_and_echo(tercel, model):
    whole = expected(model)
    stop = whole[4:7]
    options = ("--stop", "never here", "--stop", stop, "--echo")
    result = tercel("run", model, *PROMPT, "-n", "20", "--seed", "5", *options)
    assert result.stdout == "ab" + whole[: whole.index(stop)] + "\n"


def test_json_is_one_object_a_token_and_a_summary(tercel, model):
    result = tercel("run", model, *PROMPT, "-n", "20", "--seed", "5", "--json")
    *pieces, end = map(json.loads, result.stdout.splitlines())
    assert len(pieces) == 20
    assert "".join(piece["text"] for piece in pieces) == end["text"] == expected(model)
    assert end["finish_reason"] == "length"
    assert (end["model"], end["device"], end["seed"]) == ("bytes", "emulator", 5)
    assert end["statistics"]["generated_tokens"] == 20
    assert end["statistics"]["bytes_per_token"] > 0


def test_statistics_go_to_standard_error(tercel, model):
    result = tercel(
        "run", model, "-p", "abcd", "-n", "20", "--seed", "5", "--stats", "--spec", "none"
    )
    assert result.stdout == expected(model, "abcd") + "\n"
    lines = {line[:12].strip(): line[13:] for line in result.stderr.splitlines()}
    assert lines["prompt"].startswith("4 tokens; 4 read in ")
    assert lines["generated"].startswith("20 tokens; 19 after the first in ")
    assert lines["generated"].endswith(" tokens/s)")
    assert lines["first token"].startswith("after ")
    assert lines["end"] == "length, seed 5"
    assert lines["evidence"].startswith("emulator, measured on this machine")
    image = Image.open(model)
    tape = image.bytes_per_pass() / 1000
    assert f"tape {tape:.3g} kB, KV cache " in lines["token reads"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt", ""), "the prompt is empty; give --prompt a text, or pipe one in"),
        (
            ("--prompt", "a" * 5000),
            "the prompt has 5000 tokens, but of the context's 4096 positions 4096 are free; "
            "shorten the prompt since 4096 positions are the model's maximum\n",
        ),
        (
            ("--prompt", "abcd", "--context", "3"),
            "the prompt has 4 tokens, but of the context's 3 positions 3 are free; shorten the "
            "prompt or open the device with a larger context, the model's maximum is 4096\n",
        ),
        (("--prompt", "a" * 4097, "--context", "3"), "since 4096 positions are the model's maxim"),
        (("--prompt", "a\udcff"), "the text must be valid UTF-8"),
        ((*PROMPT, "--device", "abacus"), "there is no device 'abacus'; the known ones are: "),
        ((*PROMPT, "--context", "5000"), "context must be in 1..4096, the model's, not 5000"),
        ((*PROMPT, "--nodes", "0"), "a device needs at least 1 node a pass, not 0"),
        ((*PROMPT, "--temperature", "-1"), "temperature must be 0 or more, not -1.0"),
        ((*PROMPT, "--top-p", "0"), "top_p must be above 0 and at most 1, not 0.0"),
        ((*PROMPT, "--seed", "-1"), "seed must be in 0..2^64-1, not -1"),
        ((*PROMPT, "--max-tokens", "0"), "max_tokens must be 1 or more, not 0"),
        ((*PROMPT, "--stop", ""), "a stop string must have at least one character"),
    ],
    ids=lambda value: "_".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_errors_are_one_message_and_status_2(tercel, model, options, message):
    result = tercel("run", model, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_error_in_mid_text_begins_a_line(tercel, model, monkeypatch):
    piece = Piece(token=0, text="The end")

    def breaks(self, prompt, config):
        yield piece
        raise TercelError("the accelerator reported the errors watchdog")

    monkeypatch.setattr(Generator, "generate", breaks)
    result = tercel("run", model, "--prompt", "a")
    assert result.exit_code == 2
    assert result.stdout == "The end\n"
    assert result.stderr == "error: the accelerator reported the errors watchdog\n"
    result = tercel("run", model, "--prompt", "a", "--json")
    assert result.stdout == '{"token": 0, "text": "The end"}\n'


def test_an_empty_pipe_is_an_empty_prompt(tercel, model):
    result = tercel("run", model, stdin="\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the prompt is empty" in result.stderr


def test_a_pipe_of_other_bytes_is_refused(tercel, model):
    result = tercel("run", model, stdin=b"\xff\xfe")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the prompt must be UTF-8" in result.stderr


def test_files_that_are_no_image(tercel, tmp_path):
    mute = tmp_path / "mute.tercel"
    random_image(mute, PRESETS["tiny"])
    noise = tmp_path / "noise.tercel"
    noise.write_bytes(b"noise" * 100)
    for path, message in (
        (tmp_path / "absent.tercel", "it is neither an image file nor a shipped model"),
        (tmp_path, "is a folder"),
        (noise, str(noise)),
        (mute, "has no tokenizer"),
    ):
        result = tercel("run", str(path), *PROMPT)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr


@pytest.mark.parametrize("temperature", ["0", "0.9"])
def test_speculation_changes_no_text(tercel, model, temperature):
    arguments = ("run", model, "-p", "abc", "-n", "40", "--temperature", temperature, "--seed", "4")
    plain = tercel(*arguments, "--spec", "none")
    drafted = tercel(*arguments, "--spec", "draft", "--draft-model", model, "--spec-stats")
    assert drafted.stdout == plain.stdout
    assert "method       draft, judged by agreement" in drafted.stderr
    assert "tokens a verify" in drafted.stderr
    assert tercel(*arguments).stdout == plain.stdout


def test_the_summary_names_method_and_acceptor(tercel, model):
    arguments = ("run", model, "-p", "abc", "-n", "4", "--json", "--spec", "none")
    summary = json.loads(tercel(*arguments).stdout.splitlines()[-1])
    assert summary["speculation"] == {
        "method": "none",
        "acceptor": "agreement",
        "lossless": True,
    }
    assert summary["statistics"]["speculation"]["rounds"] == 3


def test_a_lossy_acceptor_says_so(tercel, model):
    result = tercel("run", model, "-p", "abc", "-n", "4", "--acceptor", "threshold:probability=0.1")
    assert result.exit_code == 0
    assert "note: the acceptor threshold is lossy; the text is not the model's own" in result.stderr


def test_a_text_without_rounds_has_no_statistics_of_speculation(tercel, model):
    result = tercel("run", model, "-p", "abc", "-n", "1", "--spec-stats")
    assert "no round: the text has one token or none" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "x"], "there is no method 'x' of speculation, only auto, none"),
        (["--spec", "draft"], "needs a small model with the same vocabulary"),
        (["--spec", "draft", "--draft-model", "x"], "there is no model 'x'"),
        (
            ["--draft-model", "x"],
            "for the methods draft, draft-drawn and expert, not for auto",
        ),
        (["--acceptor", "safety"], "an expert that drafts, but there is none; take `--spec expert"),
        (["--acceptor", "blockwise:top_n=999"], "needs the 999 highest logits, but the device"),
        (["--acceptor", "x"], "there is no acceptor 'x'"),
        (["--draft-max", "-2"], "a draft has 0 or more nodes, not -2"),
    ],
)
def test_errors_of_speculation(tercel, model, arguments, message):
    result = tercel("run", model, "-p", "a", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("acceptor", ["rejection", "block"])
def test_drawn_drafts_of_the_model_itself_are_never_rejected(tercel, model, acceptor):
    arguments = ("run", model, "-p", "abc", "-n", "33", "--temperature", "1", "--ignore-eos")
    arguments += ("--spec", "draft-drawn", "--draft-model", model, "--acceptor", acceptor)
    summary = json.loads(tercel(*arguments, "--seed", "3", "--json").stdout.splitlines()[-1])
    assert summary["speculation"]["lossless"]
    found = summary["statistics"]["speculation"]
    assert (found["emitted"], found["rounds"]) == (32, 4)  # eight tokens a pass


def test_the_images_sampling_is_the_default(tercel, model, tmp_path, byte_tokenizer):
    path = str(tmp_path / "warm.tercel")
    config = Image.open(model).config
    sampling = SamplingFilters(temperature=1.5, top_k=100, top_p=0.7, min_p=0.02)
    random_image(path, config, seed=2, tokenizer=byte_tokenizer, sampling=sampling)
    command = ("run", path, *PROMPT, "-n", "20", "--seed", "6")
    values = {"temperature": 1.5, "top_k": 100, "top_p": 0.7, "min_p": 0.02, "seed": 6}
    assert tercel(*command).stdout == expected(model, **values) + "\n" != expected(model) + "\n"
    greedy = tercel(*command, "--temperature", "0")
    assert greedy.stdout == expected(model, temperature=0) + "\n"
