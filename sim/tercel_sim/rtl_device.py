"""The Verilated accelerator behind the device interface."""

from pathlib import Path

from tercel.device.accelerator import CYCLE_LIMIT, WATCHDOG, AcceleratorDevice
from tercel.image import Image
from tercel.program import memory_map
from tercel_hw.top import AcceleratorConfig
from tercel_sim.accelerator_choice import NODES, accelerator_for, choose_accelerator
from tercel_sim.build_cache import BuildCache
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.progress import Progress, quiet, terminal
from tercel_sim.rtl_library import rtl_library
from tercel_sim.verilator_board import VerilatorBoard

__all__ = ["RtlDevice", "open_rtl_device"]


class RtlDevice(AcceleratorDevice):
    """Every pass in a cycle-accurate simulation of the accelerator and its memory.

    The first use of a configuration compiles it, which takes minutes for the kv260's; then
    libraries come from a cache.

    Parameters
    ----------
    image
        The model.
    nodes
        K, the lanes of the accelerator.
    context
        KV positions to hold; ``None`` is as many as the model and the accelerator have.
    accelerator
        Its configuration; ``None`` is the preset that plays the image's tape.
    ddr
        The memory.
    waves
        Whether :attr:`board` can write waves.
    cache
        Of compiled simulations; ``None`` is the user's.
    progress
        Told of the steps of a build.
    cycle_limit, watchdog
        Those of :class:`AcceleratorDevice`.

    Raises
    ------
    TercelError
        If no accelerator plays the image, it cannot run the model, or the simulation cannot be
        built.
    """

    def __init__(
        self,
        image: Image,
        *,
        nodes: int = NODES,
        context: int | None = None,
        accelerator: AcceleratorConfig | None = None,
        ddr: DdrConfig = DDR["kv260-15.0"],
        waves: bool = False,
        cache: BuildCache | None = None,
        progress: Progress = quiet,
        cycle_limit: int = CYCLE_LIMIT,
        watchdog: int = WATCHDOG,
    ):
        if accelerator is None:
            accelerator = accelerator_for(image, nodes=nodes)
        spec = accelerator.spec
        spec.check(image.config, image.layout)
        positions = min(image.config.context, spec.positions) if context is None else context
        words = memory_map(config=image.config, spec=spec, context=positions).words
        library = rtl_library(accelerator, waves=waves, cache=cache, progress=progress)
        self._simulation = VerilatorBoard(library, words=words, ddr=ddr)
        self._accelerator, self._ddr = accelerator, ddr
        super().__init__(
            image,
            self._simulation,
            spec=spec,
            context=positions,
            cycle_limit=cycle_limit,
            watchdog=watchdog,
        )

    @property
    def board(self) -> VerilatorBoard:
        """The simulation: its cycles, statistics, faults and waves."""
        return self._simulation

    @property
    def accelerator(self) -> AcceleratorConfig:
        """What is simulated."""
        return self._accelerator

    @property
    def ddr(self) -> DdrConfig:
        """Its memory."""
        return self._ddr


def open_rtl_device(
    image: Image,
    *,
    nodes: int | None = None,
    context: int | None = None,
    preset: str | None = None,
    config: Path | None = None,
    cache: Path | None = None,
) -> RtlDevice:
    """The device ``rtl`` of the command line; steps of a build are shown on the terminal.

    Parameters
    ----------
    image, nodes, preset, config
        Those of :func:`tercel_sim.accelerator_choice.choose_accelerator`.
    context
        That of :class:`RtlDevice`.
    cache
        Folder of compiled simulations; ``None`` is the user's.

    Raises
    ------
    TercelError
        As both do.
    """
    accelerator = choose_accelerator(image, name=preset, file=config, nodes=nodes)
    return RtlDevice(
        image,
        context=context,
        accelerator=accelerator,
        cache=BuildCache(cache),
        progress=terminal,
    )
