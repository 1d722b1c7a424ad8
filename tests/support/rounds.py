"""Rounds of speculative decoding, made by hand."""

import numpy as np

from tercel.device import Limits, PassResult
from tercel.sampling import Sampler, SamplingConfig
from tercel.speculation import ROOT, DraftTree, Outcome, Round, Verdict

TREE = DraftTree(tokens=(1, 2, 3, 2), parents=(ROOT, 0, 1, ROOT))


def make_round(path=(), tokens=(9,), *, tree=None, root=0, root_token=4, **fields):
    sampler = Sampler(SamplingConfig(), limits=Limits(nodes=8, context=64, top_k=4), vocab_size=10)
    times = {"draft_seconds": 0.25, "verify_seconds": 1.0, "accept_seconds": 0.5}
    return Round(
        root_token=root_token,
        verdict=Verdict(
            tree=DraftTree() if tree is None else tree,
            result=PassResult(argmax=np.zeros(8, np.int32)),
            root=root,
            position=5,
            sampler=sampler,
        ),
        outcome=Outcome(path=path, tokens=tokens),
        **(times | fields),
    )
