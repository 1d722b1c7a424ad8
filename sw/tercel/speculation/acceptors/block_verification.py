"""Verification of a drafted chain as a block."""

from tercel.sampling import Distribution
from tercel.speculation.acceptor import Acceptor, Outcome, Verdict
from tercel.speculation.draft_tree import ROOT

__all__ = ["BlockVerification"]


class BlockVerification(Acceptor):
    """Judges the prefixes of a drafted chain jointly (Sun et al., arXiv 2403.10444).

    Accepts in expectation at least as many tokens as rejection sampling. Of a tree it judges the
    first path alone. The law is that of plain decoding, the text is not.
    """

    lossless = True
    reads_proposals = True

    def accept(self, verdict: Verdict) -> Outcome:
        tree = verdict.tree
        path = _first_path(verdict)
        tokens = [tree.tokens[node] for node in path]
        before = (ROOT, *path)
        q = [
            tree.proposals.get(node) or Distribution.certain(token)
            for node, token in zip(before, tokens, strict=False)
        ]
        kept, weight = 0, 1
        p = last = verdict.distribution(ROOT)
        if path:
            last = p.residual(q[0]) or p
        for depth, token in enumerate(tokens, 1):
            drafted = q[depth - 1].probability(token)
            weight = min(weight * p.probability(token) / drafted, 1)
            if weight == 0:
                break
            p = verdict.distribution(before[depth])
            chance, rest = weight, p
            if depth < len(path):
                excess = p.excess(q[depth], weight).sum()
                # nothing is left if p equals q, but then a longer prefix is accepted
                chance = excess and excess / (excess + 1 - weight)
                rest = p.residual(q[depth], weight)
            # streams of the round, not of the position: the next round judges anew what is not kept
            if rest is not None and verdict.uniform(ROOT, f"block accept {depth}") < chance:
                kept, last = depth, rest
        final = last.draw(verdict.uniform(ROOT, "block residual"))
        return Outcome(path=tuple(path[:kept]), tokens=(*tokens[:kept], final))


def _first_path(verdict: Verdict) -> list[int]:
    """The nodes from the root's first child on, always to the first child."""
    path, children = [], verdict.tree.children(ROOT)
    while children:
        path.append(children[0])
        children = verdict.tree.children(children[0])
    return path
