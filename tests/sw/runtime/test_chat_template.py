import re

import pytest
from chat_templates import CHATML, FAMILIES, MISTRAL
from transformers.utils.chat_template_utils import render_jinja_template

from tercel.config import PRESETS
from tercel.errors import TercelError
from tercel.image import ChatFormat, Image, random_image
from tercel.runtime import ChatTemplate, TemplateLimits
from tercel.runtime.template_worker import render

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
HELLO = [{"role": "user", "content": "hello"}]
CONVERSATIONS = {
    "one": HELLO,
    "system": [{"role": "system", "content": " Be brief. "}, *HELLO],
    "long": [
        {"role": "system", "content": "Speak <b>plainly</b> & 'well'."},
        {"role": "user", "content": "Grüße, 世界 🙂\n\ttabs "},
        {"role": "assistant", "content": " <think>\nhm\n</think>\n\nYes {{ 1 }}. "},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "No\u2028"},
        {"role": "user", "content": '"quoted" \\n'},
    ],
}
QUICK = TemplateLimits(cpu_seconds=1)


def template(text, limits=QUICK):
    return ChatTemplate(ChatFormat(template=text, special_tokens=TOKENS), limits)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_that_of_transformers(family, conversation):
    messages = CONVERSATIONS[conversation]
    [expected], _ = render_jinja_template(
        conversations=[messages],
        chat_template=FAMILIES[family],
        add_generation_prompt=True,
        tools=None,
        documents=None,
        **TOKENS,
    )
    variables = {**TOKENS, "messages": messages, "tools": None, "add_generation_prompt": True}
    request = {"template": FAMILIES[family], "variables": variables, "characters": 10**6}
    assert render(request) == {"text": expected}
    if conversation == "long":
        assert template(FAMILIES[family]).render(messages) == expected


def test_an_image_brings_its_template(tmp_path):
    path = tmp_path / "m.tercel"
    random_image(path, PRESETS["tiny"], chat=ChatFormat(template=CHATML))
    prompt = ChatTemplate.of_image(Image.open(path)).render(HELLO)
    assert prompt.endswith("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n")
    random_image(path, PRESETS["tiny"])
    with pytest.raises(TercelError, match="tiny has no chat template: it continues texts, as"):
        ChatTemplate.of_image(Image.open(path))


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages['__class__'] }}{{ messages.append(1) }}",
        "{{ raise_exception.__globals__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ (''|attr('__class__')).x }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ namespace(__class__=1) }}",
        "{% set ns = namespace() %}{% set ns.__init__ = 1 %}",
        "{{ strftime_now.__code__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'base' %}",
    ],
)
def test_a_template_that_reaches_outside_is_refused(text):
    request = {"template": text, "variables": {"messages": HELLO}, "characters": 10**6}
    assert render(request)["error"] == "outside"
    if "mro" in text:
        with pytest.raises(
            TercelError, match=r"reaches outside its sandbox \(\w+\.__class__\), so"
        ):
            template(text).render(HELLO)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "computed for more than 1 s",
        ),
        ("{{ (9 ** (9 ** 9)) | string | length }}", "computed for more than 1 s and was stopped"),
        ("{{ 'a' * 10 ** 10 }}", "the chat template needs more than 256 MiB of memory"),
        ("{% for a in range(99999) %}{{ 'a' * 999 }}{% endfor %}", "more than 4194304 characters"),
        ("{% set a = range(9999999) %}{{ a }}", "Range too big"),
    ],
)
def test_a_template_without_end_is_stopped(text, message):
    with pytest.raises(TercelError, match=message):
        template(text).render(HELLO)


def test_a_busy_machine_is_not_waited_for_without_end():
    with pytest.raises(TercelError, match=r"did not end within 0\.001 s"):
        template(CHATML, TemplateLimits(seconds=0.001)).render(HELLO)


@pytest.mark.parametrize(
    ("text", "messages", "message"),
    [
        (MISTRAL, HELLO * 2, "refuses this conversation: roles must alternate user/assistant"),
        (
            "a\n{% for %}",
            HELLO,
            "is malformed, or made for other messages: line 2: Expected an exp",
        ),
        ("{% if %}" * 5000, HELLO, "is malformed"),
        ("{{ " + "(" * 9000 + ")" * 9000 + " }}", HELLO, "is malformed"),
        ("{{ messages[0].parts[0] }}", HELLO, "object' has no attribute 'parts'"),
        ("{{ 1 / 0 }}", HELLO, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_template_that_does_not_fit(text, messages, message):
    with pytest.raises(TercelError, match=re.escape(message)):
        template(text).render(messages)


def test_a_process_that_cannot_start_is_told(monkeypatch):
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(TercelError, match="the process for it failed: ModuleNotFoundError"):
        template(CHATML).render(HELLO)
