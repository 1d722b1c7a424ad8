import pytest

from tercel_quant.corpus.clean import clean_paragraph, paragraphs_of_lines


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (
            "\u201cIt\u2019s so\u2026\u201d she told all of them",
            '"It\'s so..." she told all of them',
        ),
        ("one \u2014 two \u2013 three", "one--two - three"),
        ("one  ---  two", "one--two"),
        ("one\u00a0word\ufeff and\u00ad more", "one word and more"),
        ("He _never_ said so", "He never said so"),
        ("It is so. [Laughter] And then", "It is so. And then"),
        ("It is so , or not .", "It is so, or not."),
        ("Verse 3. In the beginning", "In the beginning"),
        ("Ver. 4, 5. In the beginning", "In the beginning"),
        ("first  line \n\n  second line", "first line\nsecond line"),
    ],
)
def test_prose_is_made_plain(raw, clean):
    assert clean_paragraph(raw) == clean


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "I",
        "CHAPTER ONE",
        "Chapter 4. The storm",
        "XIV.",
        "Finis",
        "THE WHOLE OF IT IS IN CAPITALS",
        "1. An item of a list",
        "(iv) another item",
        "12 34 56 78 total 90 12",
        "[Laughter]",
    ],
)
def test_what_is_no_prose_is_dropped(raw):
    assert clean_paragraph(raw) == ""


def test_long_items_are_prose():
    text = "1. " + "word after word " * 20
    assert clean_paragraph(text) == text.strip()


@pytest.mark.parametrize(("unwrap", "joint"), [(True, " "), (False, "\n")])
def test_paragraphs_end_at_empty_lines(unwrap, joint):
    lines = ["", " one ", "two", "", "  ", "three", ""]
    assert paragraphs_of_lines(lines, unwrap=unwrap) == [f"one{joint}two", "three"]
    assert paragraphs_of_lines([], unwrap=unwrap) == []
