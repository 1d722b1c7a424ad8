import json
import re

import pytest

from tercel.errors import TercelError
from tercel.image import SamplingFilters


def test_json_goes_back_and_forth():
    filters = SamplingFilters(temperature=1, top_k=3, top_p=0.5, min_p=1)
    assert SamplingFilters.from_json(filters.to_json()) == filters
    assert SamplingFilters.from_json("{}") == SamplingFilters()
    assert SamplingFilters().greedy


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("temperature", "1", "temperature must be a number, not '1'"),
        ("temperature", -0.1, "temperature must be 0 or more, not -0.1"),
        ("temperature", float("inf"), "temperature must be 0 or more, not inf"),
        ("temperature", float("nan"), "temperature must be 0 or more, not nan"),
        ("top_k", 1.5, "top_k must be a number, not 1.5"),
        ("top_k", True, "top_k must be a number, not True"),
        ("top_k", -1, "top_k must be 0 (all) or more, not -1"),
        ("top_p", 0, "top_p must be above 0 and at most 1, not 0"),
        ("top_p", None, "top_p must be a number, not None"),
        ("min_p", 1.1, "min_p must be in 0..1, not 1.1"),
        ("seed", 1, "the sampling has unknown fields: seed"),
    ],
)
def test_rules(field, value, message):
    with pytest.raises(TercelError, match=re.escape(message)):
        SamplingFilters.from_json(json.dumps({field: value}))
