from dataclasses import dataclass
from pathlib import Path

import pytest

from tercel.device import DeviceOptions, option
from tercel.device.options import describe_options, parse_options
from tercel.errors import TercelError


@dataclass(frozen=True, kw_only=True)
class BoardOptions(DeviceOptions):
    overlay: Path | None = option(None, "bitstream")
    timeout: float = option(4.0, "seconds of a pass")
    poll: bool = option(False, "no interrupt")
    name: str = option("board", "a name")


def test_text_becomes_the_types_of_the_fields():
    settings = {"overlay": "a/b.bit", "timeout": "0.5", "poll": "true", "name": "7", "nodes": "3"}
    found = parse_options(BoardOptions, settings, context=9)
    assert found == BoardOptions(
        overlay=Path("a/b.bit"), timeout=0.5, poll=True, name="7", nodes=3, context=9
    )
    assert parse_options(BoardOptions, {}, nodes=None, context=None) == BoardOptions()


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(TercelError, match=r"no option 'ddr', only context, name, nodes, overlay, "):
        parse_options(BoardOptions, {"ddr": "x"})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("nodes", "two", "an integer"), ("timeout", "soon", "a number"), ("poll", "1", "true or")],
)
def test_a_value_of_another_type_is_refused(name, text, words):
    with pytest.raises(TercelError, match=f"option {name} must be {words}.*not '{text}'"):
        parse_options(BoardOptions, {name: text})


def test_an_option_given_twice_is_refused():
    with pytest.raises(TercelError, match="option nodes is given twice"):
        parse_options(BoardOptions, {"nodes": "2"}, nodes=3)


def test_options_describe_themselves():
    rows = {name: (default, text) for name, default, text in describe_options(BoardOptions)}
    assert rows["timeout"] == ("4.0", "seconds of a pass")
    assert rows["overlay"] == ("", "bitstream")
    assert list(rows)[:2] == ["context", "nodes"]
