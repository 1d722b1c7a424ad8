"""Workers that compute tasks: processes of this machine, or those of a dask scheduler."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dask import config as dask_config
from distributed import Client, KilledWorker, LocalCluster, as_completed

from tercel.errors import TercelError
from tercel_sim.explore.task_store import Task, TaskStore, source_hash
from tercel_sim.explore.tasks import run_task

__all__ = ["TaskPool", "task_pool"]

CONNECT_SECONDS = 10
DEATHS = 5
"""Workers that a task may lose before it counts as their cause."""


class TaskPool:
    """Computes tasks whose results are not stored yet, and stores each as soon as it is there.

    Parameters
    ----------
    store
    client
        The scheduler's; ``None`` computes in this process.
    """

    def __init__(self, store: TaskStore, client: Client | None):
        self._store = store
        self._client = client

    @property
    def workers(self) -> int:
        """Number of tasks that run at a time, at least 1."""
        if self._client is None:
            return 1
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def results(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Any]]:
        """Yield each task with its result: stored ones first, others as they are computed.

        A task whose worker dies is computed again by another one.

        Raises
        ------
        TercelError
            If a task is refused, or its workers die again and again.
        """
        waiting = []
        for task in tasks:
            if (result := self._store.get(task)) is None:
                waiting.append(task)
            else:
                yield task, result
        for task, result in self._computed(waiting):
            self._store.put(task, result)
            yield task, result

    def _computed(self, tasks: list[Task]) -> Iterator[tuple[Task, Any]]:
        if self._client is None:
            for task in tasks:
                yield task, run_task(task.kind, task.arguments, source_hash())
            return
        futures = {
            self._client.submit(
                run_task, task.kind, task.arguments, source_hash(), key=task.key, pure=True
            ): task
            for task in tasks
        }
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except KilledWorker:
                raise TercelError(
                    f"the task {futures[future].kind} ended its worker {DEATHS} times; has the "
                    "machine enough memory? Results so far are kept"
                ) from None


@contextmanager
def task_pool(
    store: TaskStore, *, scheduler: str | None = None, workers: int = 1
) -> Iterator[TaskPool]:
    """Open a pool: of a scheduler's workers, of local processes, or of this process alone.

    Parameters
    ----------
    store
    scheduler
        Address of a running dask scheduler, as ``tcp://host:8786``.
    workers
        Local processes without a scheduler; 0 computes in this one.

    Raises
    ------
    TercelError
        If the scheduler does not answer.
    """
    if scheduler is None and workers == 0:
        yield TaskPool(store, None)
        return
    settings = {"distributed.scheduler.allowed-failures": DEATHS}
    with dask_config.set(settings):
        if scheduler is not None:
            with _connect(scheduler) as client:
                yield TaskPool(store, client)
            return
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,  # pyright: ignore (no page; the annotation lacks it)
        )
        with cluster, Client(cluster) as client:
            yield TaskPool(store, client)


def _connect(scheduler: str) -> Client:
    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise TercelError(
            f"the dask scheduler {scheduler} does not answer: {error}; start one with "
            "`dask scheduler`, and workers with `dask worker ADDRESS`"
        ) from None
