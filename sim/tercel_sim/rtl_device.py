"""The Verilated accelerator behind the device interface."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tercel.device import DeviceFacts, DeviceOptions, Fact, option
from tercel.device.accelerator import (
    TIMEOUT,
    WATCHDOG,
    AcceleratorDevice,
    watchdog_cycles,
)
from tercel.errors import TercelError
from tercel.image import Image
from tercel.program import memory_map
from tercel_hw.top import AcceleratorConfig
from tercel_sim.accelerator_choice import accelerator_for, choose_accelerator
from tercel_sim.build_cache import BuildCache
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.progress import Progress, quiet, terminal
from tercel_sim.rtl_library import rtl_library
from tercel_sim.verilator_board import VerilatorBoard

__all__ = ["RtlDevice", "RtlOptions"]


@dataclass(frozen=True, kw_only=True)
class RtlOptions(DeviceOptions):
    """Options of the simulated accelerator."""

    preset: str | None = option(None, "accelerator; by default the preset that plays the image")
    config: Path | None = option(None, "JSON file of parameters, or sidecar, instead of a preset")
    ddr: str = option("kv260-15.0", f"memory, one of {', '.join(DDR)}")
    cache: Path | None = option(None, "folder of compiled accelerators")
    timeout: float = option(TIMEOUT, "seconds of simulated time after which a pass is stuck")
    watchdog: float = option(WATCHDOG, "seconds of simulated time without progress; 0 is no limit")

    @property
    def memory(self) -> DdrConfig:
        """The memory named ``ddr``.

        Raises
        ------
        TercelError
            If there is no such preset.
        """
        if self.ddr not in DDR:
            raise TercelError(f"ddr must be one of {', '.join(DDR)}, not {self.ddr!r}")
        return DDR[self.ddr]


class RtlDevice(AcceleratorDevice):
    """Device that runs passes in a cycle-accurate simulation of the accelerator and its memory.

    The first use of a configuration compiles it, which takes minutes for the kv260; later uses
    take the library from a cache.

    Parameters
    ----------
    image
        The model.
    nodes
        K, the lanes of the accelerator; ``None`` is the preset's.
    context
        KV positions to hold; ``None`` is as many as the model and the accelerator have.
    accelerator
        Configuration of the accelerator; ``None`` is the preset that plays the image's tape.
    ddr
        Parameters of the memory.
    waves
        True if :attr:`board` can write waves.
    cache
        Cache of compiled simulations; ``None`` is the user's.
    progress
        Shows the steps of a build.
    timeout, watchdog
        As those of :class:`AcceleratorDevice`, in seconds of simulated time.

    Raises
    ------
    TercelError
        If no accelerator plays the image, it cannot run the model, or the simulation cannot be
        built.
    """

    OPTIONS = RtlOptions

    def __init__(
        self,
        image: Image,
        *,
        nodes: int | None = None,
        context: int | None = None,
        accelerator: AcceleratorConfig | None = None,
        ddr: DdrConfig = DDR["kv260-15.0"],
        waves: bool = False,
        cache: BuildCache | None = None,
        progress: Progress = quiet,
        timeout: float = TIMEOUT,
        watchdog: float = WATCHDOG,
    ):
        if accelerator is None:
            accelerator = accelerator_for(image, nodes=nodes)
        spec = accelerator.spec
        spec.check(image.config, image.layout)
        positions = min(image.config.context, spec.positions) if context is None else context
        words = memory_map(config=image.config, spec=spec, context=positions).words
        watchdog_cycles(timeout, watchdog, ddr.clock_mhz * 1e6)  # refused before the build
        library = rtl_library(accelerator, waves=waves, cache=cache, progress=progress)
        self._simulation = VerilatorBoard(library, words=words, ddr=ddr)
        self._accelerator, self._ddr = accelerator, ddr
        super().__init__(
            image,
            self._simulation,
            spec=spec,
            context=positions,
            timeout=timeout,
            watchdog=watchdog,
        )

    @classmethod
    def open(cls, image: Image, options: RtlOptions) -> "RtlDevice":
        memory = options.memory
        accelerator = choose_accelerator(
            image, name=options.preset, file=options.config, nodes=options.nodes
        )
        return cls(
            image,
            context=options.context,
            accelerator=accelerator,
            ddr=memory,
            cache=BuildCache(options.cache),
            progress=terminal,
            timeout=options.timeout,
            watchdog=options.watchdog,
        )

    def facts(self) -> DeviceFacts:
        parameters = json.dumps(self._accelerator.parameters())
        return replace(
            super().facts(), accelerator=Fact(value=parameters, note="the configuration simulated")
        )

    @property
    def board(self) -> VerilatorBoard:
        """The simulation: its cycles, statistics, faults and waves."""
        return self._simulation

    @property
    def accelerator(self) -> AcceleratorConfig:
        """Configuration of the simulated accelerator."""
        return self._accelerator

    @property
    def ddr(self) -> DdrConfig:
        """Parameters of the simulated memory."""
        return self._ddr
