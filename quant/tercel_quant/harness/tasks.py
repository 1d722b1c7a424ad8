"""Tasks of lm-evaluation-harness, run on a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager

from tercel.errors import TercelError
from tercel_quant.harness.language_model import TercelLM

__all__ = ["evaluate_tasks"]


def evaluate_tasks(
    model: TercelLM,
    names: Sequence[str],
    *,
    include_path: Path | None = None,
    limit: int | None = None,
    fewshot: int | None = None,
    chat: bool = False,
) -> dict[str, Any]:
    """Run tasks by name.

    Parameters
    ----------
    include_path
        A folder of tasks. If it has all names, the harness's own list, which takes long to read, is
        left alone.
    limit
        Most documents of a task.
    fewshot
        Examples before each question; by default the task's own number.
    chat
        Ask through the model's chat template.

    Returns
    -------
    dict
        The harness's results: ``results`` has the metrics by task.

    Raises
    ------
    TercelError
        If there is no such task, its data cannot be had, or it asks for what tercel lacks.
    """
    manager = _manager(names, include_path)
    if unknown := sorted(set(names) - set(manager.all_tasks)):
        raise TercelError(
            f"there is no task {', '.join(unknown)}; `lm_eval ls tasks` lists those of the "
            "harness, and --include-path DIR adds a folder of your own"
        )
    try:
        found = simple_evaluate(
            model=model,
            tasks=[*names],
            num_fewshot=fewshot,
            limit=limit,
            apply_chat_template=chat,
            task_manager=manager,
            log_samples=False,
        )
    except (OSError, ValueError) as error:  # of tasks, and of data sets that are not at hand
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise TercelError(f"a task cannot be run: {reason}") from error
    assert found is not None  # only other ranks of a parallel run get nothing
    return dict(found)


def _manager(names: Sequence[str], include_path: Path | None) -> TaskManager:
    if include_path is not None:
        if not include_path.is_dir():
            raise TercelError(
                f"--include-path must be a folder of tasks, but {include_path} is none; name the "
                "folder that holds their .yaml files"
            )
        own = TaskManager(include_path=str(include_path), include_defaults=False)
        if set(names) <= set(own.all_tasks):
            return own
        return TaskManager(include_path=str(include_path))
    return TaskManager()
