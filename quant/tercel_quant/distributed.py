"""Training in one process or several: device, batch sharding, model sharding, reductions."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.distributed_c10d import get_node_local_rank
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer

from tercel.errors import TercelError
from tercel_quant.model import Transformer

__all__ = ["World"]


class World:
    """The processes that train one model together; a context manager.

    Parameters
    ----------
    launched : bool
        True if ``torchrun`` started this process: it then joins the others over NCCL, one GPU per
        process, or over gloo on CPUs. Otherwise it is alone, on the first GPU if there is one.

    Members
    -------
    rank, size : int
        Index of this process, and number of processes.
    device : torch.device
    """

    def __init__(self, *, launched: bool = False):
        accelerated = torch.cuda.is_available()
        self.device = torch.device("cuda" if accelerated else "cpu")
        self.rank, self.size = 0, 1
        self._launched = launched
        if launched:
            dist.init_process_group("nccl" if accelerated else "gloo")
            self.rank, self.size = dist.get_rank(), dist.get_world_size()
            if accelerated:
                self.device = torch.device("cuda", get_node_local_rank())
                torch.cuda.set_device(self.device)

    @classmethod
    def join(cls) -> World:
        """The world of this process: that of ``torchrun`` if it started the process, or alone."""
        return cls(launched=dist.is_available() and dist.is_torchelastic_launched())

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._launched:
            if error is None:
                dist.barrier()  # no process may leave while another still uses the group
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """True for rank 0, which writes files and draws the progress bar."""
        return self.rank == 0

    def place(self, model: Transformer) -> None:
        """Move a model to the device; with several processes, shard every layer (FSDP)."""
        model.to(self.device)
        if self.size > 1:
            mesh = init_device_mesh(self.device.type, (self.size,))
            for layer in model.layers:
                fully_shard(layer, mesh=mesh)
            fully_shard(model, mesh=mesh)

    def share(self, windows: Tensor) -> Tensor:
        """This process's rows of a batch, on its device.

        Raises
        ------
        TercelError
            If the number of windows is no multiple of the processes.
        """
        if len(windows) % self.size:
            raise TercelError(
                f"a batch must be a multiple of the {self.size} processes, not {len(windows)} "
                "windows; change batch_size or the number of processes"
            )
        return windows[self.rank :: self.size].to(self.device)

    def agree(self, loss: Tensor, *flags: bool) -> tuple[float, list[bool]]:
        """Mean loss over all processes, and for each flag whether any process raised it."""
        values = torch.tensor([loss.item() / self.size, *map(float, flags)], device=self.device)
        if self.size > 1:
            dist.all_reduce(values)
        mean, *raised = values.tolist()
        return mean, [flag > 0 for flag in raised]

    def state(self, model: Transformer, optimisers: list[Optimizer]) -> dict[str, Any]:
        """The unsharded state on the CPU of rank 0, the same for any number of processes."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return {
            "model": get_model_state_dict(model, options=options),
            "optimisers": get_optimizer_state_dict(model, optimisers, options=options),
        }

    def restore(
        self, model: Transformer, optimisers: list[Optimizer], state: dict[str, Any]
    ) -> None:
        """Inverse of :meth:`state`; every process passes the unsharded state."""
        options = StateDictOptions(full_state_dict=True)
        set_model_state_dict(model, state["model"], options=options)
        set_optimizer_state_dict(model, optimisers, state["optimisers"], options=options)
