"""Every drafter without a network: the text is that of plain decoding, and they learn from it."""

import pytest

from tercel.speculation.drafters.prompt_lookup import PromptLookup
from tercel.speculation.drafters.suffix import SuffixDrafter
from tercel.speculation.drafters.token_recycling import TokenRecycling
from tercel.speculation.drafters.union import Union

DRAFTERS = [PromptLookup, SuffixDrafter, TokenRecycling, Union]


@pytest.mark.parametrize("sampling", [{}, {"temperature": 1.0, "seed": 5}], ids=str)
@pytest.mark.parametrize("kind", DRAFTERS)
def test_the_text_is_that_of_plain_decoding(make_image, write, kind, sampling):
    image = make_image(1)
    settings = {"prompt": "abcabcabc", "max_tokens": 40, **sampling}
    expected, _ = write(image, **settings)
    drafter = kind.open(image, None)
    for _ in range(2):
        found, generator = write(image, drafter, **settings)
        assert found == expected
        assert generator.statistics.speculation.failures == 0
        drafter.reset()
    assert generator.statistics.speculation.drafted > 0
