"""Text that appears while it is made: whole characters only, and nothing of a stop string."""

import codecs
from collections.abc import Sequence

from tercel.errors import TercelError

__all__ = ["TextStream"]


class TextStream:
    """Turns a stream of byte runs into text that is safe to show.

    A character is shown once its last byte has come; bytes that no UTF-8 text has become U+FFFD.
    Text that may be the start of a stop string is held back until it is known not to be. Of
    several stop strings the one that is complete first counts, so the outcome does not depend on
    where the runs are cut.

    Parameters
    ----------
    stop
        Strings that end the text; none of them is shown.

    Raises
    ------
    TercelError
        If a stop string is empty.
    """

    def __init__(self, stop: Sequence[str] = ()):
        if "" in stop:
            raise TercelError("a stop string must have at least one character, but one is empty")
        self._stop = tuple(stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped: str | None = None
        """The stop string that ended the text, if one did."""

    def push(self, data: bytes) -> str:
        """Add bytes; return the text that may be shown now, none after a stop string."""
        self._held += self._decoder.decode(data)
        found = [
            (start + len(stop), start, stop)
            for stop in self._stop
            if (start := self._held.find(stop)) >= 0
        ]
        if found:
            _, start, self.stopped = min(found)
            return self._release(start)
        return self._release(len(self._held) - self._possible_start())

    def finish(self) -> str:
        """The held text, once nothing more comes; the bytes of half a character are dropped."""
        return "" if self.stopped is not None else self._release(len(self._held))

    def _release(self, length: int) -> str:
        shown, self._held = self._held[:length], self._held[length:]
        return shown

    def _possible_start(self) -> int:
        """Length of the longest end of the held text with which a stop string starts."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0
