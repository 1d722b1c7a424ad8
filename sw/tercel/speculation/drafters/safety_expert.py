"""A second model whose opinion a composite acceptor weighs (SSD, arXiv 2508.17739)."""

from tercel.device import Device
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.sampling import Distribution, SamplingConfig
from tercel.speculation.draft_tree import ROOT, DraftTree
from tercel.speculation.drafter import DraftBudget, Drafter, DraftState
from tercel.speculation.drafters.model_candidates import ModelCandidates
from tercel.speculation.drafters.model_follower import ModelFollower, check_vocabulary

__all__ = ["SafetyExpert"]


class SafetyExpert(Drafter):
    """Predicts the next tokens greedily with a small model, with its distributions.

    The distributions, of temperature 1 and without filters, are the draft's predictions. The last
    token is predicted but not drafted: a draft of three tokens has two nodes.

    Parameters
    ----------
    device
        A device of the expert, empty and reserved for this drafter.
    tokens
        Most tokens to predict.

    Raises
    ------
    TercelError
        If ``tokens`` is below 1.
    """

    gives_predictions = True

    def __init__(self, device: Device, *, tokens: int = 3):
        if tokens < 1:
            raise TercelError(f"an expert predicts 1 or more tokens, not {tokens}")
        self._follower = ModelFollower(device)
        self._tokens = tokens

    @classmethod
    def open(cls, image: Image, expert: Image, *, device: Device | None = None) -> "SafetyExpert":
        """Open an expert on a device of its own; ``None`` is the emulator.

        Raises
        ------
        TercelError
            If the expert has another vocabulary.
        """
        check_vocabulary(image, expert)
        return cls(EmulatorDevice(expert) if device is None else device)

    def reset(self) -> None:
        self._follower.reset()

    def interrupt(self) -> None:
        self._follower.interrupt()

    def propose(self, state: DraftState, budget: DraftBudget) -> DraftTree:
        device = self._follower.device
        plain = SamplingConfig(temperature=1.0)
        rows = device.config.vocab_size
        candidates = ModelCandidates(plain, top_k=0, limits=device.limits, rows=rows)
        found = self._follower.read(state.tokens, candidates.ask)
        if found is None:
            return DraftTree()
        grown, node, result = found
        most = min(self._tokens - 1, budget.nodes, budget.depth)
        tokens: list[int] = []
        predictions: dict[int, Distribution] = {}
        behind = 0
        while True:
            q = candidates.distribution(result, node=node)
            predictions[len(tokens) + ROOT] = q
            if len(tokens) == most or not grown.room:
                break
            tokens.append(int(q.ids[0]))
            behind, result = grown.grow(tokens[-1:], behind)
            node = behind
        return DraftTree(
            tokens=tuple(tokens),
            parents=tuple(range(ROOT, len(tokens) - 1)),
            predictions=predictions,
        )
