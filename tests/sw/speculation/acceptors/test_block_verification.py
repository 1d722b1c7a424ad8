import pytest
from exact_law import (
    drawn_chain,
    drawn_tree,
    emitted_law,
    exact,
    fixed_tree,
    mean_length,
    plain_law,
    target,
    total_variation,
)

from tercel.speculation import DraftTree
from tercel.speculation.acceptors import BlockVerification, Rejection

DRAFTS = {
    "chain of one": drawn_chain(1),
    "chain": drawn_chain(2),
    "chain of the model itself": drawn_chain(2, target),
    "first path of a tree": drawn_tree((2,), replacement=False),
    "nothing": lambda branch, text, round: DraftTree(),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_the_law_is_that_of_plain_decoding(name):
    law = emitted_law(BlockVerification(), target, DRAFTS[name], tokens=2)
    assert law == plain_law(target, tokens=2)


def test_the_law_of_a_path_that_no_draw_made():
    law = emitted_law(BlockVerification(), target, fixed_tree, tokens=2)
    # exact but for the certain token's probability, which is a float
    assert total_variation(law, plain_law(target, tokens=2)) < 1e-12


def test_the_law_of_three_tokens():
    def coin(text):
        return exact(1 + sum(text), 2)

    drafting = drawn_chain(3, lambda text: exact(2, 1 + len(text) % 2))
    law = emitted_law(BlockVerification(), coin, drafting, tokens=3)
    assert law == plain_law(coin, tokens=3)


def test_the_residual_is_that_of_the_weighted_model():
    """After an unlikely first token the weighted model exceeds the draft in token 1 alone."""
    p, q = exact(4, 6, 3, 3), exact(13, 1, 1, 1)
    law = emitted_law(BlockVerification(), lambda text: p, drawn_chain(2, lambda text: q), tokens=2)
    assert law == plain_law(lambda text: p, tokens=2)


def test_a_block_emits_more_than_token_wise_rejection():
    for length in (1, 2, 3):
        block, token_wise = (
            mean_length(acceptor, target, drawn_chain(length))
            for acceptor in (BlockVerification(), Rejection())
        )
        assert block > token_wise or (length == 1 and block == token_wise)
