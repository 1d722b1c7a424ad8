"""Results of tasks on the disk, so that a search that was ended goes on where it was."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tercel
import tercel_hw
import tercel_sim
from tercel.files import make_folder, write_whole

__all__ = ["Task", "TaskStore", "source_hash"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A named function of JSON values, with JSON as its result."""

    kind: str
    """Name in :data:`tercel_sim.explore.tasks.TASKS`."""
    arguments: str
    """The arguments, a JSON object with sorted keys."""

    @classmethod
    def of(cls, kind: str, **arguments: Any) -> "Task":
        return cls(kind=kind, arguments=json.dumps(arguments, sort_keys=True))

    @property
    def key(self) -> str:
        """A hash of the task and of the sources that compute it."""
        return hashlib.sha256(f"{source_hash()} {self.kind} {self.arguments}".encode()).hexdigest()


@cache
def source_hash() -> str:
    """A hash of the installed packages' sources, which results depend on."""
    digest = hashlib.sha256()
    for package in (tercel, tercel_hw, tercel_sim):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


class TaskStore:
    """A folder with a file for each result.

    Raises
    ------
    TercelError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        make_folder(folder)

    @property
    def folder(self) -> Path:
        return self._folder

    def get(self, task: Task) -> Any:
        """The result of a task; ``None`` if it is not there or broken."""
        try:
            return json.loads((self._folder / f"{task.key}.json").read_text())["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, task: Task, result: Any) -> None:
        """Keep a result, which must not be ``None``.

        Raises
        ------
        TercelError
            If it cannot be written.
        """
        contents = {"kind": task.kind, "arguments": json.loads(task.arguments), "result": result}
        write_whole(self._folder / f"{task.key}.json", json.dumps(contents))
