"""Turns of a conversation: what is computed, what is kept, and the text of an empty cache."""

import pytest
from local_template import render_here

from tercel.errors import TercelError
from tercel.image import ChatFormat
from tercel.runtime import ChatTemplate, Conversation, GenerationConfig, Generator, PromptError
from tercel.sampling import SamplingConfig

TEMPLATE = (
    "{% for message in messages %}{% if message.content == 'bad' %}{{ raise_exception('no') }}"
    "{% endif %}[{{ message.role }}] {{ message.content }}{{ eos_token }}\n{% endfor %}[assistant] "
)
FORGETFUL = (
    "{% for message in messages %}[{{ message.role }}] "
    "{{ '' if message.role == 'assistant' else message.content }}<end>\n{% endfor %}[assistant] "
)
GREEDY = GenerationConfig(max_tokens=8)


class LocalTemplate(ChatTemplate):
    _render = render_here


def template(text=TEMPLATE):
    return LocalTemplate(ChatFormat(template=text, special_tokens={"eos_token": "<end>"}))


def talk(device, tokenizer, text=TEMPLATE, **options):
    return Conversation(Generator(device, tokenizer), tokenizer, template(text), **options)


def say(conversation, question, config=GREEDY):
    return "".join(piece.text for piece in conversation.ask(question, config))


def test_a_turn_computes_its_own_tokens(make_device, tokenizer):
    turns = ["[system] be brief<end>\n[user] one<end>\n[assistant] yes.<end>"]
    turns.append(f"{turns[0]}\n[user] two<end>\n[assistant] no.<end>")
    script = [tokenizer.encode(turn, first=False) for turn in turns]
    device = make_device(script=script[1], nodes=8, context=128)
    conversation = talk(device, tokenizer, system="be brief")
    assert say(conversation, "one") == "yes."
    # All but the end token, which is read with what follows it.
    assert device.counters.nodes == device.length == len(script[0]) - 1
    passes = device.counters.passes
    assert say(conversation, "two") == "no."
    assert device.sequence == script[1][:-1]
    assert device.counters.nodes == device.length
    prefilled = len(tokenizer.encode("<end>\n[user] two<end>\n[assistant] ", first=False))
    assert device.counters.passes - passes == -(-prefilled // 8) + len("no.")
    assert conversation.messages == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "yes."},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "no."},
    ]


@pytest.mark.parametrize("text", [TEMPLATE, FORGETFUL])
def test_every_turn_is_that_of_an_empty_cache(make_device, tokenizer, text):
    config = GenerationConfig(sampling=SamplingConfig(temperature=1.0, seed=7), max_tokens=5)
    conversation = talk(make_device(nodes=4, context=128), tokenizer, text)
    for question in ("one", "two", "three"):
        messages = [*conversation.messages, {"role": "user", "content": question}]
        answer = say(conversation, question, config)
        fresh = Generator(make_device(nodes=4, context=128), tokenizer)
        prompt = tokenizer.encode(template(text).render(messages), first=False)
        assert answer == "".join(piece.text for piece in fresh.respond(prompt, config))


def test_an_answer_that_is_left_or_never_begun_is_kept_as_far_as_it_came(make_device, tokenizer):
    conversation = talk(make_device(context=128), tokenizer)
    pieces = conversation.ask("one", GREEDY)
    assert conversation.messages[-1] == {"role": "assistant", "content": ""}
    shown = "".join(next(pieces).text for _ in range(3))
    assert conversation.messages[-1]["content"] == shown
    say(conversation, "two")
    assert conversation.messages[1]["content"] == shown
    assert conversation.prompt.startswith(f"[user] one<end>\n[assistant] {shown}<end>\n[user] two")


def test_after_an_error_nothing_is_changed(make_device, tokenizer):
    device = make_device(context=64)
    conversation = talk(device, tokenizer)
    say(conversation, "one")
    kept = conversation.messages, device.length
    with pytest.raises(PromptError, match="of the context's 64 positions"):
        conversation.ask("x" * 64, GREEDY)
    with pytest.raises(TercelError, match="refuses this conversation: no"):
        conversation.ask("bad", GREEDY)
    assert (conversation.messages, device.length) == kept


def test_reset_keeps_the_system(make_device, tokenizer):
    device = make_device(context=128)
    conversation = talk(device, tokenizer, system="s")
    first = say(conversation, "one")
    conversation.reset()
    assert conversation.messages == [{"role": "system", "content": "s"}]
    assert (device.length, conversation.prompt) == (0, "")
    assert say(conversation, "one") == first


def test_the_process_renders_the_same(make_device, tokenizer):
    own = ChatTemplate(ChatFormat(template=TEMPLATE, special_tokens={"eos_token": "<end>"}))
    messages = [{"role": "user", "content": "one"}]
    assert own.render(messages) == template().render(messages)
    with pytest.raises(TercelError, match="refuses this conversation: no"):
        own.render([{"role": "user", "content": "bad"}])
