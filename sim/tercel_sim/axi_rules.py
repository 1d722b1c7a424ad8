"""Rules of AXI4 that memory models check of a port's manager.

The same rules with the same messages are in ``cpp/protocol.h``.
"""

from collections import deque
from typing import NamedTuple

__all__ = ["AxiBeat", "AxiBurst", "AxiRuleError", "AxiRules"]

INCR = 1
PAGE_BYTES = 4096
REQUEST_CHANGED = "a request was withdrawn or changed before it was taken"
BEAT_CHANGED = "a beat to write was withdrawn or changed before it was taken"


class AxiRuleError(AssertionError):
    """A manager breaks a rule of AXI4; the message is the rule."""


class AxiBurst(NamedTuple):
    """Payload of a request: a burst of ``length + 1`` beats of ``2**size`` bytes."""

    address: int
    length: int
    size: int
    burst: int
    id: int = 0


class AxiBeat(NamedTuple):
    """Payload of a beat to write."""

    data: int
    strobes: int
    last: bool


class AxiRules:
    """Checks the channels of one port that its manager drives, cycle by cycle.

    Every method takes the state of a channel at a clock edge: the payload that the manager offers,
    ``None`` while it is not valid, and the memory's ready. Beats may be taken before their request.

    Parameters
    ----------
    beat_bytes
        Bytes of a beat, required of every burst.

    Raises
    ------
    AxiRuleError
        By every method: if the manager breaks a rule.
    """

    def __init__(self, *, beat_bytes: int):
        self._beat_bytes = beat_bytes
        self.reset()

    def reset(self) -> None:
        """Forget all transfers in progress."""
        self._waiting: dict[str, AxiBurst | AxiBeat] = {}
        self._announced: deque[int] = deque()
        """Beats of the requested write bursts whose last beat has not passed."""
        self._ended: deque[int] = deque()
        """Beats of the write bursts whose last beat has passed before their request."""
        self._passed = 0
        """Beats since the last ``wlast``."""

    def read_request(self, offered: AxiBurst | None, ready: bool) -> None:
        """Check the channel AR."""
        self._hold("ar", offered, ready, REQUEST_CHANGED)
        if offered and ready:
            self._check(offered)

    def write_request(self, offered: AxiBurst | None, ready: bool) -> None:
        """Check the channel AW."""
        self._hold("aw", offered, ready, REQUEST_CHANGED)
        if offered and ready:
            self._check(offered)
            self._announced.append(offered.length + 1)
            self._match()

    def write_beat(self, offered: AxiBeat | None, ready: bool) -> None:
        """Check the channel W."""
        self._hold("w", offered, ready, BEAT_CHANGED)
        if not (offered and ready):
            return
        self._passed += 1
        if offered.last:
            self._ended.append(self._passed)
            self._passed = 0
        self._match()

    def _match(self) -> None:
        """Compare the bursts that ended with the requested ones."""
        matched = True
        while self._announced and self._ended:
            matched &= self._announced.popleft() == self._ended.popleft()
        if self._announced:
            matched &= self._passed < self._announced[0]
        if not matched:
            raise AxiRuleError("wlast is not on the last beat of a burst")

    def _hold(
        self, channel: str, offered: AxiBurst | AxiBeat | None, ready: bool, rule: str
    ) -> None:
        """Check that an offered payload stays until it is taken."""
        waiting = self._waiting.pop(channel, None)
        if waiting and offered != waiting:
            raise AxiRuleError(rule)
        if offered and not ready:
            self._waiting[channel] = offered

    def _check(self, burst: AxiBurst) -> None:
        end = burst.address + (burst.length + 1) * self._beat_bytes - 1
        if burst.burst != INCR:
            raise AxiRuleError("a burst is not INCR")
        if 1 << burst.size != self._beat_bytes:
            raise AxiRuleError("a burst has beats of another width than the port")
        if burst.address % self._beat_bytes:
            raise AxiRuleError("a burst does not start on a beat")
        if burst.address // PAGE_BYTES != end // PAGE_BYTES:
            raise AxiRuleError("a burst crosses a 4 KiB page")
