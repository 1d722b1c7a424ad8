"""Rejection sampling of drafts."""

from tercel.speculation.acceptor import StepwiseAcceptor, Verdict

__all__ = ["Rejection"]


class Rejection(StepwiseAcceptor):
    """Keeps a drafted token with probability ``min(1, p / q)``, else draws from what is left of p.

    On a chain this is speculative sampling (Leviathan et al., arXiv 2211.17192; Chen et al.,
    arXiv 2302.01318), on a tree its recursive form over siblings (SpecInfer, arXiv 2305.09781;
    without replacement: Jeon et al., arXiv 2402.14160). Children that were not drawn at random are
    kept with probability p. The law is that of plain decoding, the text is not.
    """

    lossless = True
    reads_proposals = True

    def step(self, verdict: Verdict, node: int) -> tuple[int | None, int]:
        tree, p = verdict.tree, verdict.distribution(node)
        q = tree.proposals.get(node)
        for rank, child in enumerate(tree.children(node)):
            token = tree.tokens[child]
            chance = p.probability(token) / (q.probability(token) if q else 1)
            if chance >= 1 or verdict.uniform(node, f"accept {rank}") < chance:
                return child, token
            p = (p.residual(q) if q else p.without(token)) or p
            if q and not tree.replacement:
                q = q.without(token)
        return None, p.draw(verdict.uniform(node, "residual"))
