"""Every drafter without a network: the text is that of plain decoding, and they learn from it."""

import pytest

from tercel.speculation import PassNeeds
from tercel.speculation.methods import DraftSources, open_drafters

METHODS = ("ngram", "suffix", "recycle", "union")


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0, "seed": 5}], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_the_text_is_that_of_plain_decoding(make_image, write, method, sampling):
    image = make_image(1)
    settings = {"prompt": "abcabcabc", "max_tokens": 40, **sampling}
    expected, _ = write(image, **settings)
    [drafter] = open_drafters(method, DraftSources(image=image, device=None))
    for _ in range(2):
        found, generator = write(image, drafter, **settings)
        assert found == expected
        assert generator.statistics.speculation.failures == 0
        drafter.reset()
    assert generator.statistics.speculation.drafted > 0


def test_the_union_takes_recycled_tokens_where_nothing_is_trained(make_image):
    sources = DraftSources(image=make_image(1), device=None)
    [union] = open_drafters("union", sources)
    assert union.needs == PassNeeds(top_k=8)
