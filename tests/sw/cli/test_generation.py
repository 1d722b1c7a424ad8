"""Options that `run` and `chat` share: the template, the system's message, --verbose."""

import json

import pytest
from local_template import render_here

from tercel.runtime import ChatTemplate

RENDERED = "[system] Be brief.<end>\n[user] ab<end>\n[assistant] "


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(ChatTemplate, "_render", render_here)


def text(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])["text"]


def test_run_chat_asks_through_the_template(tercel, chat_model):
    command = ("run", chat_model, "-n", "12", "--seed", "3", "--json")
    asked = tercel(*command, "--chat", "--system", "Be brief.", "-p", "ab", "--verbose")
    assert (
        text(asked) == text(tercel(*command, "-p", RENDERED)) != text(tercel(*command, "-p", "ab"))
    )
    sampling, prompt, *rest = asked.stderr.splitlines()
    assert sampling == (
        "sampling     temperature 0.7, top-k 30, top-p 1, min-p 0, seed 3; as the image recommends"
    )
    assert prompt == f"prompt       {len(RENDERED)} characters:"
    assert "\n".join(rest) == RENDERED


def test_a_template_of_a_file_counts_before_the_images(tercel, chat_model, model, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{{ bos_token }}<{{ messages[0].content }}>{{ eos_token }}")
    for name in (chat_model, model):
        result = tercel(
            *("run", name, "-n", "1", "--chat", "-p", "ab", "--template", str(path)),
            *("--temperature", "0", "--verbose"),
        )
        sampling, _, prompt = result.stderr.splitlines()
        assert prompt == "<ab><end>"
        assert sampling.startswith("sampling     greedy, seed ")
        assert sampling.endswith("the image recommends nothing") == (name == model)


def test_without_a_chat_verbose_prints_the_prompt_too(tercel, model):
    result = tercel("run", model, "-n", "1", "-p", "ab", "--verbose")
    assert result.stderr.endswith("prompt       2 characters:\nab\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--chat",), "bytes has no chat template: it continues texts, as `tercel run` without"),
        (("--system", "x"), "--system and --template belong to a chat; give --chat too"),
        (("--template", "x"), "--system and --template belong to a chat; give --chat too"),
        (("--chat", "--template", "absent"), "the template absent cannot be read: "),
        (("--chat", "--template", "PATH"), "refuses this conversation: never"),
    ],
)
def test_errors_are_one_message(tercel, model, tmp_path, options, message):
    path = tmp_path / "never.jinja"
    path.write_text("{{ raise_exception('never') }}")
    options = [str(path) if option == "PATH" else option for option in options]
    result = tercel("run", model, "-p", "ab", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
