"""The loss curve of a run, as JSON lines."""

import json
from pathlib import Path
from types import TracebackType
from typing import TextIO

from tercel.files import write_errors, write_whole

__all__ = ["LossLog", "read_losses"]


def read_losses(path: Path) -> list[dict[str, float]]:
    """Records of a log, in order; an incomplete last line (after a crash) is dropped.

    Returns
    -------
    list of dict
        Keys ``step``, ``tokens``, ``loss`` (of the batch), ``lr``, ``tokens_per_second``. Empty if
        there is no log.
    """
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


class LossLog:
    """Writer of a log that appends records; a context manager.

    Parameters
    ----------
    path : Path
    step : int
        Number of updates done. Later records are dropped, because their updates were lost in a
        crash and will be repeated.
    """

    def __init__(self, path: Path, *, step: int):
        kept = [record for record in read_losses(path) if record["step"] <= step]
        write_whole(path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> "LossLog":
        self._file = open(self.path, "a", buffering=1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with write_errors(self.path):
                self._file.close()

    def write(self, **record: float) -> None:
        """Append one record and flush it."""
        if self._file is not None:
            with write_errors(self.path):
                self._file.write(json.dumps(record) + "\n")
