"""Incremental decoding of bytes to text: whole characters only, without stop strings."""

import codecs
from collections.abc import Sequence

from tercel.errors import TercelError

__all__ = ["TextStream"]


class TextStream:
    """Turns a stream of byte strings into text that is safe to show.

    A character is released with its last byte; invalid UTF-8 becomes U+FFFD. Text that may be the
    start of a stop string is held back until this is decided. The stop string that is complete
    first ends the text, so the result does not depend on how the bytes are split.

    Parameters
    ----------
    stop
        Strings that end the text and are not shown.

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
        """Add bytes and return the text that may be shown now; empty after a stop string."""
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
        """Return the held text at the end of the stream; an incomplete character is dropped."""
        return "" if self.stopped is not None else self._release(len(self._held))

    def _release(self, length: int) -> str:
        shown, self._held = self._held[:length], self._held[length:]
        return shown

    def _possible_start(self) -> int:
        """Length of the longest suffix of the held text that is a prefix of a stop string."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0
