"""Running rates of acceptance, the newest observations weighted most."""

from collections.abc import Sequence

__all__ = ["AcceptanceRates"]


class AcceptanceRates:
    """Decayed rates of acceptance by bucket, from a guess before any observation.

    Parameters
    ----------
    guesses
        Rate of each bucket at first.
    weight
        Observations that a guess counts for; it decays with them.
    memory
        Observations of a bucket after which the weight of one has fallen to 1/e.
    """

    def __init__(self, guesses: Sequence[float], *, weight: float = 4.0, memory: float = 64.0):
        self._decay = 1.0 - 1.0 / memory
        self._tried = [weight] * len(guesses)
        self._accepted = [weight * guess for guess in guesses]

    def __len__(self) -> int:
        return len(self._tried)

    def __getitem__(self, bucket: int) -> float:
        return self._accepted[bucket] / self._tried[bucket]

    def add(self, bucket: int, accepted: bool) -> None:
        """Count a node whose parent was accepted."""
        self._tried[bucket] = self._tried[bucket] * self._decay + 1.0
        self._accepted[bucket] = self._accepted[bucket] * self._decay + accepted
