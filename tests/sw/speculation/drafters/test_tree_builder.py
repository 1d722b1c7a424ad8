from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercel.speculation import ROOT, DraftBudget
from tercel.speculation.drafters.tree_builder import grow_tree


def table(successors):
    """Expansion from a table ``{path: [(token, probability)]}``."""

    def expand(path, depth):
        assert len(path) == depth
        found = successors.get(path, [])
        return [(token, probability, (*path, token)) for token, probability in found]

    return expand


def paths(tree):
    found = []
    for token, parent in zip(tree.tokens, tree.parents, strict=True):
        found.append((*(found[parent] if parent != ROOT else ()), token))
    return found


TABLE = {
    (): [(7, 0.5), (8, 0.4)],
    (7,): [(1, 0.9), (2, 0.1)],
    (8,): [(3, 0.25)],
    (7, 1): [(4, 0.5)],
}


@pytest.mark.parametrize(
    ("nodes", "depth", "tokens", "parents"),
    [
        (0, 5, (), ()),
        (5, 0, (), ()),
        (1, 1, (7,), (ROOT,)),
        (2, 5, (7, 1), (ROOT, 0)),  # 0.45 is above 0.4
        (3, 5, (7, 1, 8), (ROOT, 0, ROOT)),
        (3, 1, (7, 8), (ROOT, ROOT)),
        (4, 2, (7, 1, 8, 3), (ROOT, 0, ROOT, 2)),
        (99, 99, (7, 1, 4, 2, 8, 3), (ROOT, 0, 1, 0, ROOT, 4)),
    ],
)
def test_the_likeliest_nodes_are_grown_and_emitted_depth_first(nodes, depth, tokens, parents):
    tree = grow_tree((), table(TABLE), DraftBudget(nodes=nodes, depth=depth))
    assert (tree.tokens, tree.parents) == (tokens, parents)


def test_estimates_are_products_along_the_path_and_never_above_the_parents():
    expand = table({(): [(5, 0.5)], (5,): [(6, 1.5)], (5, 6): [(7, 0.5)]})
    assert grow_tree((), expand, DraftBudget(nodes=9, depth=9)).estimates == (0.5, 0.5, 0.25)


def test_a_node_is_expanded_once_and_only_if_its_children_may_be_added():
    expanded = []

    def expand(path, depth):
        expanded.append(path)
        return table(TABLE)(path, depth)

    grow_tree((), expand, DraftBudget(nodes=3, depth=9))
    assert expanded == [(), (7,), (7, 1)]
    expanded.clear()
    grow_tree((), expand, DraftBudget(nodes=9, depth=1))
    assert expanded == [()]


@given(
    # 9 paths of up to 2 tokens and 27 of 3, all estimates distinct
    order=st.permutations(range(39)),
    nodes=st.integers(1, 12),
    depth=st.integers(1, 3),
)
def test_it_grows_the_best_nodes_of_all(order, nodes, depth):
    every = [path for length in (1, 2, 3) for path in product(range(3), repeat=length)]
    chance = {path: 0.3 + 0.6 * rank / 39 for path, rank in zip(every, order, strict=True)}
    successors = {}
    for path in sorted(every, key=chance.__getitem__, reverse=True):
        successors.setdefault(path[:-1], []).append((path[-1], chance[path]))

    def estimate(path):
        return chance[path] * (estimate(path[:-1]) if len(path) > 1 else 1.0)

    tree = grow_tree((), table(successors), DraftBudget(nodes=nodes, depth=depth))
    allowed = [path for path in every if len(path) <= depth]
    best = sorted(allowed, key=estimate, reverse=True)[:nodes]
    assert set(paths(tree)) == set(best)
    assert tree.estimates == pytest.approx([estimate(path) for path in paths(tree)])
    # depth first, siblings in falling order
    for node in range(len(tree)):
        children = tree.children(node)
        assert not children or children[0] == node + 1
        values = [tree.estimates[child] for child in children]
        assert values == sorted(values, reverse=True)
