"""A second model whose cache follows the text."""

from collections.abc import Callable, Sequence

from tercel.device import Ask, Device, PassInterruptedError, PassResult
from tercel.errors import TercelError
from tercel.image import Image
from tercel.speculation.drafters.growing_pass import GrowingPass

__all__ = ["ModelFollower", "check_vocabulary"]


def check_vocabulary(image: Image, draft: Image) -> None:
    """Check that a drafting model has the vocabulary of the model it drafts for.

    Raises
    ------
    TercelError
        If the tokenizers differ in a byte, or the vocabularies in size.
    """
    sizes = image.config.vocab_size, draft.config.vocab_size
    if sizes[0] != sizes[1] or image.tokenizer != draft.tokenizer:
        raise TercelError(
            f"a draft model must have the vocabulary of {image.config.name} ({sizes[0]} tokens), "
            f"but {draft.config.name} has another tokenizer ({sizes[1]} tokens); "
            "take a model that was trained with the same one"
        )


class ModelFollower:
    """Keeps the cache of a device in step with a text and runs drafts behind it.

    The cache holds a part of the text, never a draft that was not accepted: drafts are nodes of
    passes that are committed only as far as the text went their way. So nothing is taken back, and
    the text may grow in any manner between two drafts.

    Parameters
    ----------
    device
        A device of the second model, reserved for this follower, empty.
    """

    def __init__(self, device: Device):
        self.device = device
        self._pass: GrowingPass | None = None
        self._interrupted = False

    def reset(self) -> None:
        """Forget the text."""
        self.device.reset()
        self._pass = None

    def interrupt(self) -> None:
        """End a running draft; may be called from a signal handler."""
        self._interrupted = True
        self.device.interrupt()

    def read(
        self, text: Sequence[int], ask: Callable[[int], Ask]
    ) -> tuple[GrowingPass, int, PassResult] | None:
        """Read the text up to its end.

        Parameters
        ----------
        text
            The whole text; begins with that of the call before.
        ask
            From a node, the results wanted of it, here and as the pass grows.

        Returns
        -------
        A pass that begins with the text's last token as node 0 and may grow by drafts; the node of
        this token in the results; the results. ``None`` if the device's context is too short.

        Raises
        ------
        PassInterruptedError
            If it was interrupted.
        """
        self._interrupted = False
        device = self.device
        self._keep(text)
        if len(text) > device.limits.context:
            return None
        waiting = list(text[device.length :])
        nodes = device.limits.nodes
        while len(waiting) > nodes:
            if self._interrupted:
                raise PassInterruptedError
            device.prefill(waiting[:nodes])
            del waiting[:nodes]
        first = self._new_pass(ask)
        node, result = first.grow(waiting, -1)
        if not node:
            return first, node, result
        device.commit(range(node))
        rest = self._new_pass(ask)
        rest.tokens, rest.parents = [waiting[-1]], [-1]
        return rest, node, result

    def _new_pass(self, ask: Callable[[int], Ask]) -> GrowingPass:
        self._pass = GrowingPass(self.device, ask, lambda: self._interrupted)
        return self._pass

    def _keep(self, text: Sequence[int]) -> None:
        """Commit the nodes of the last pass that became text; the last token of it is read
        again."""
        if self._pass is not None and self._pass.complete:
            path = self._pass.follow(text[self.device.length : -1])
            if path:
                self.device.commit(path)
        self._pass = None
