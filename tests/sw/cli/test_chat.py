import dataclasses
import json

import pytest
from local_template import render_here
from safetensors import safe_open

from tercel.device.emulator import EmulatorDevice
from tercel.image import Image, ImageBuilder, copy_tensors, fill_random
from tercel.runtime import ChatTemplate, Conversation, GenerationConfig, Generator, TextTokenizer
from tercel.sampling import SamplingConfig

OPTIONS = ("-n", "6", "--seed", "5")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(ChatTemplate, "_render", render_here)


def answers(model, *questions, system=None, context=None):
    """Answers of the runtime, with the sampling of the image."""
    image = Image.open(model)
    tokenizer = TextTokenizer.of_image(image)
    generator = Generator(EmulatorDevice(image, context=context), tokenizer)
    template = ChatTemplate.of_image(image)
    conversation = Conversation(generator, tokenizer, template, system=system)
    sampling = SamplingConfig(temperature=0.7, top_k=30, seed=5)
    config = GenerationConfig(sampling=sampling, max_tokens=6)
    return ["".join(p.text for p in conversation.ask(text, config)) for text in questions]


def lines(*texts):
    return "".join(f"{text}\n" for text in texts)


def test_lines_are_turns_and_only_answers_go_to_standard_output(tercel, chat_model):
    result = tercel("chat", chat_model, *OPTIONS, "--system", "s", stdin="one\n\n//two\nthree")
    assert result.exit_code == 0
    assert result.stdout == lines(*answers(chat_model, "one", "/two", "three", system="s"))
    assert result.stderr == "note: the answer is cut at --max-tokens\n" * 3


def test_a_two_stage_head_that_there_is_not_is_refused_before_the_first_question(
    tercel, chat_model
):
    result = tercel("chat", chat_model, *OPTIONS, "--two-stage", stdin="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "chat has none; make one with `tercel shortlist`" in result.stderr


def test_a_two_stage_head_answers_from_the_listed_rows(tercel, chat_model, tmp_path):
    image = Image.open(chat_model)
    config = dataclasses.replace(image.config, shortlist=32)
    builder = ImageBuilder(
        config=config, tokenizer=image.tokenizer, chat=image.chat, sampling=image.sampling
    )
    copy_tensors(image, builder)
    fill_random(builder, 3)
    builder.write(tmp_path / "listed.tercel")
    arguments = ("chat", str(tmp_path / "listed.tercel"), *OPTIONS)
    whole, short = (tercel(*arguments, *end, stdin="one\n") for end in ((), ("--two-stage",)))
    assert whole.stdout == lines(*answers(chat_model, "one"))
    assert short.exit_code == 0
    assert short.stdout != whole.stdout, "the random shortlist lists other rows than the best"


def test_reset_begins_anew(tercel, chat_model):
    result = tercel("chat", chat_model, *OPTIONS, stdin="one\n/reset\none\ntwo\n/exit\nthree\n")
    first, second = answers(chat_model, "one", "two")
    assert (result.exit_code, result.stdout) == (0, lines(first, first, second))


def test_a_saved_conversation_goes_on_in_another_process(tercel, chat_model, tmp_path):
    path = tmp_path / "a talk.cache"
    saved = tercel("chat", chat_model, *OPTIONS, stdin=f"one\n/save {path}\n")
    assert (saved.exit_code, saved.stderr.splitlines()[-1]) == (0, f"{path}: 2 messages")
    again = tercel("chat", chat_model, *OPTIONS, stdin=f"one\n/save {path}\n")
    assert f"{path} exists: it is replaced when the new one is whole\n" in again.stderr
    loaded = tercel("chat", chat_model, *OPTIONS, "--stats", stdin=f"zero\n/load {path}\ntwo\n")
    assert loaded.exit_code == 0, loaded.stderr
    assert loaded.stdout.endswith(lines(answers(chat_model, "one", "two")[1]))
    assert f"{path}: 2 messages" in loaded.stderr
    with safe_open(path, framework="numpy") as file:
        messages = json.loads(json.loads(file.metadata()["notes"])["messages"])
        tokens = file.get_tensor("tokens")
    assert messages == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": answers(chat_model, "one")[0]},
    ]
    # Of the loaded tokens at most the last must be read again, and the new question.
    prompt = [line for line in loaded.stderr.splitlines() if line.startswith("prompt")][-1]
    read = int(prompt.split(";")[1].split()[0])
    assert read < int(prompt.split()[1]) - len(tokens) + 20


def test_help_lists_the_commands(tercel, chat_model):
    result = tercel("chat", chat_model, stdin="/help\n")
    assert (result.exit_code, result.stdout) == (0, "")
    for name in ("/help", "/reset", "/save FILE", "/load FILE", "/exit", "//TEXT"):
        assert name in result.stderr


def test_verbose_shows_sampling_first_and_every_prompt(tercel, chat_model):
    result = tercel("chat", chat_model, *OPTIONS, "--verbose", stdin="one\ntwo\n")
    first, *rest = result.stderr.splitlines()
    assert first.startswith("sampling     temperature 0.7, top-k 30, top-p 1, min-p 0, seed 5; as")
    assert rest[1:3] == ["[user] one<end>", "[assistant] "]
    assert "[user] two<end>\n[assistant] \n" in result.stderr


def test_a_full_context_is_told(tercel, chat_model):
    command = ("chat", chat_model, "--seed", "5", "--context", "40", "-n", "100")
    result = tercel(*command, stdin="one\n")
    assert (result.exit_code, result.stderr) == (
        0,
        "note: the context is full; /reset begins a new conversation\n",
    )
    result = tercel(*command, stdin="one\ntwo\n")
    assert result.exit_code == 2
    assert "of the context's 40 positions" in result.stderr
    assert result.stderr.endswith("; or begin a new conversation with /reset\n")
    result = tercel(*command, stdin="one\n/reset\none\n")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) >= 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/rest", "there is no command '/rest'; there are /help, /reset, /exit, /save, /load"),
        ("/reset now", "/reset takes no argument, not 'now'"),
        ("/save", "/save needs the name of a file"),
        ("/save talk.cache", "nothing was said yet, so there is nothing to save"),
        ("/load absent.cache", "cannot read absent.cache: No such file"),
        ("\udcff", "the prompt must be UTF-8"),
    ],
)
def test_a_wrong_line_of_a_pipe_ends_with_one_message(
    tercel, chat_model, tmp_path, monkeypatch, line, message
):
    monkeypatch.chdir(tmp_path)
    stdin = (line + "\n").encode(errors="surrogateescape")
    result = tercel("chat", chat_model, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_another_models_conversation_is_refused(tercel, chat_model, model, tmp_path):
    path = tmp_path / "talk.cache"
    tercel("chat", chat_model, *OPTIONS, stdin=f"one\n/save {path}\n")
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages[0].content }}")
    other = tercel("chat", model, "--template", str(template), stdin=f"/load {path}\n")
    assert other.exit_code == 2
    assert "was made with another model, 'chat' of the checksum" in other.stderr
    small = tercel("chat", chat_model, "--context", "8", stdin=f"/load {path}\n")
    assert small.exit_code == 2
    assert "positions exceed the context of 8" in small.stderr


def test_a_model_without_template_is_refused(tercel, model):
    result = tercel("chat", model, stdin="one\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bytes has no chat template: it continues texts, as `tercel run`" in result.stderr


def test_speculation_changes_no_answer(tercel, chat_model):
    command = ("chat", chat_model, *OPTIONS, "--spec-stats")
    plain = tercel(*command, "--spec", "none", stdin="one\ntwo\n")
    drafted = tercel(*command, "--spec", "draft", "--draft-model", chat_model, stdin="one\ntwo\n")
    assert drafted.stdout == plain.stdout
    assert "method       draft, judged by agreement" in drafted.stderr
