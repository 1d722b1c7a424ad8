import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tercel.errors import TercelError
from tercel.runtime import TextStream


def stream_text(runs, stop=()):
    """All text of a stream, with a check of every piece."""
    stream = TextStream(stop)
    pieces = []
    for run in runs:
        pieces.append(stream.push(run))
        if stream.stopped is not None:
            break
    pieces.append(stream.finish())
    return "".join(pieces), stream.stopped


def cut(data, borders):
    borders = sorted({border % (len(data) + 1) for border in borders})
    return [data[a:b] for a, b in zip([0, *borders], [*borders, len(data)], strict=True)]


@given(text=st.text(max_size=40), borders=st.lists(st.integers(0, 200), max_size=20))
def test_text_survives_any_cut_and_no_piece_has_half_a_character(text, borders):
    stream = TextStream()
    shown = ""
    for run in cut(text.encode(), borders):
        shown += stream.push(run)
        assert text.startswith(shown)
    assert shown + stream.finish() == text


@example(data=b"\xed\xa0", borders=[])
@given(data=st.binary(max_size=30), borders=st.lists(st.integers(0, 60), max_size=20))
def test_any_bytes_become_the_same_text_for_any_cut(data, borders):
    text, _ = stream_text(cut(data, borders))
    whole = data.decode(errors="replace")
    assert whole.startswith(text)
    # The bytes of a character that never ended are left out; decoded at once they may count twice.
    assert whole[len(text) :] in ("", "\N{REPLACEMENT CHARACTER}", 2 * "\N{REPLACEMENT CHARACTER}")


def test_a_character_is_shown_with_its_last_byte():
    stream = TextStream()
    assert [stream.push(bytes([byte])) for byte in "\u20ac!".encode()] == ["", "", "\u20ac", "!"]


def test_half_a_character_at_the_end_is_dropped():
    assert stream_text([b"a\xe2\x82"]) == ("a", None)


def first_complete(text, stop):
    """The text before the stop string that is complete first, letter by letter."""
    for end in range(1, len(text) + 1):
        matches = [s for s in stop if text[:end].endswith(s)]
        if matches:
            longest = max(matches, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(
    text=st.text("ab\u00e9", max_size=30),
    stop=st.lists(st.text("ab\u00e9", min_size=1, max_size=5), max_size=4),
    borders=st.lists(st.integers(0, 100), max_size=20),
)
def test_stop_strings_end_the_text_wherever_the_cuts_are(text, stop, borders):
    expected = first_complete(text, stop)
    assert stream_text(cut(text.encode(), borders), stop) == expected
    stream = TextStream(stop)
    shown = ""
    for run in cut(text.encode(), borders):
        shown += stream.push(run)
        assert expected[0].startswith(shown), "a part of a stop string leaked"


def test_text_is_held_back_no_longer_than_needed():
    stream = TextStream(["END", "NDX"])
    assert stream.push(b"a E") == "a "
    assert stream.push(b"N") == ""
    assert stream.push(b"Q") == "ENQ"
    assert stream.push(b"EN") == ""
    assert stream.finish() == "EN"


def test_nothing_comes_after_a_stop():
    stream = TextStream(["."])
    assert stream.push(b"a.b") == "a"
    assert stream.stopped == "."
    assert stream.push(b"c") == ""
    assert stream.finish() == ""


def test_an_empty_stop_string_is_refused():
    with pytest.raises(TercelError, match="at least one character, but one is empty"):
        TextStream(["x", ""])
