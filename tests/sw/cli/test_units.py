import pytest

from tercel.cli.units import format_bytes, format_count


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1 kB"),
        (12_345, "12.3 kB"),
        (2.5e6, "2.5 MB"),
        (7.29e8, "729 MB"),
        (1.2345e12, "1.234 TB"),
        (4e15, "4000 TB"),
    ],
)
def test_bytes(count, text):
    assert format_bytes(count) == text


def test_counts():
    assert [format_count(count) for count in (5, 6.8e6)] == ["5", "6.8 M"]
