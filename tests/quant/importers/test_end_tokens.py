import pytest

from tercel_quant.importers.end_tokens import end_tokens


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ((), ()),
        ((None,), ()),
        ((5,), (5,)),
        ((0, None), (0,)),
        (([5, 2], 5, [7, 2, 1]), (5, 2, 7, 1)),
        (([], None, [None, 3]), (3,)),
    ],
)
def test_different_ids_in_their_order(named, found):
    assert end_tokens(*named) == found
