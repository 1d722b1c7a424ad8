import dataclasses

import pytest

from tercel.errors import TercelError
from tercel.speculation.acceptors import (
    ACCEPTORS,
    AcceptorResources,
    Blockwise,
    Typical,
    make_acceptor,
)
from tercel.speculation.acceptors.registry import NoOptions

RESOURCES = AcceptorResources(image=None, token_bytes=lambda token: bytes([token]))


def test_options_reach_the_rule():
    assert make_acceptor("blockwise:top_n=1", RESOURCES).lossless
    found = make_acceptor("blockwise:top_n=3,distance=2", RESOURCES)
    assert isinstance(found, Blockwise)
    assert found.needs.top_k == 3
    assert isinstance(make_acceptor("typical:last=argmax,delta=0.5", RESOURCES), Typical)


@pytest.mark.parametrize("name", ACCEPTORS)
def test_a_rule_says_what_it_is(name):
    kind = ACCEPTORS[name]
    assert "\n" not in kind.description
    assert kind.description[0].islower()
    for field in dataclasses.fields(kind.config):
        assert field.metadata["description"]


@pytest.mark.parametrize("name", ["agreement", "rejection", "block", "typical", "threshold"])
def test_the_mark_of_a_rule_is_true(name):
    assert make_acceptor(name, RESOURCES).lossless == ACCEPTORS[name].lossless


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agreemant", "there is no acceptor 'agreemant'; the known ones are: agreement, rejection"),
        ("agreement:seed=1", "the acceptor 'agreement' has no option 'seed', only none"),
        ("typical:top_n=1", "'typical' has no option 'top_n', only delta, epsilon, last"),
        ("typical:delta", "an option is given as name=value, not 'delta'"),
        ("typical:=3", "an option is given as name=value, not '=3'"),
        ("typical:delta=a", "the option delta must be a number, not 'a'"),
        ("typical:delta=0.1,delta=0.2", "the option delta is given twice; leave one of them out"),
        ("typical:delta=7", "delta must be between 0 and 1, not 7.0"),
    ],
)
def test_wrong_names_are_refused(text, message):
    with pytest.raises(TercelError, match=message):
        make_acceptor(text, RESOURCES)


def test_a_rule_without_options_has_none():
    assert dataclasses.fields(NoOptions) == ()
