from dataclasses import dataclass

import pytest

from tercel.errors import TercelError
from tercel.json_dataclass import JsonDataclass


@dataclass(frozen=True, kw_only=True)
class Point(JsonDataclass):
    WHAT = "point"

    y: int
    x: int
    name: str = "none"

    def __post_init__(self):
        if self.x < 0:
            raise TercelError(f"x must be 0 or more, not {self.x}")


def test_text_and_back():
    point = Point(x=1, y=2, name="a")
    assert point.to_json() == '{"name": "a", "x": 1, "y": 2}'
    assert Point.from_json(point.to_json()) == point
    assert Point.from_json('{"y": 2, "x": 1}') == Point(x=1, y=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the point is not valid JSON: "),
        ("[" * 100_000, "the point is not valid JSON: "),
        ("[1]", "the point must be a JSON object, not list"),
        ("null", "the point must be a JSON object, not NoneType"),
        ('{"x": 1, "y": 2, "w": 3, "v": 4}', "the point has unknown fields: v, w; a newer tercel"),
        ('{"name": "a"}', "the point lacks the fields: x, y"),
        ('{"x": -1, "y": 2}', "x must be 0 or more, not -1"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(TercelError, match=message):
        Point.from_json(text)
