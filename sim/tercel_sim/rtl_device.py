"""The Verilated accelerator behind the device interface."""

from dataclasses import replace
from pathlib import Path

from tercel.device.accelerator import CYCLE_LIMIT, WATCHDOG, AcceleratorDevice
from tercel.errors import TercelError
from tercel.image import Image
from tercel.program import memory_map
from tercel_hw.top import ACCELERATORS, AcceleratorConfig
from tercel_sim.ddr import DDR, DdrConfig
from tercel_sim.rtl_library import rtl_library
from tercel_sim.verilator import CACHE
from tercel_sim.verilator_board import VerilatorBoard

__all__ = ["RtlDevice", "accelerator_for"]


def accelerator_for(image: Image, *, nodes: int) -> AcceleratorConfig:
    """The preset that plays the image's tape, with K = ``nodes``.

    Raises
    ------
    TercelError
        If there is none.
    """
    for config in ACCELERATORS.values():
        if config.layout == image.layout:
            if not 1 <= nodes <= 16:
                raise TercelError(f"an accelerator has 1 to 16 nodes a pass, not {nodes}")
            return replace(config, tlmm=replace(config.tlmm, nodes=nodes))
    presets = ", ".join(ACCELERATORS)
    raise TercelError(
        f"no accelerator preset ({presets}) plays tapes of the layout {image.layout.to_json()}; "
        "quantise for one of their layouts"
    )


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
        Folder of compiled simulations.
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
        nodes: int = 8,
        context: int | None = None,
        accelerator: AcceleratorConfig | None = None,
        ddr: DdrConfig = DDR["kv260-15.0"],
        waves: bool = False,
        cache: Path = CACHE,
        cycle_limit: int = CYCLE_LIMIT,
        watchdog: int = WATCHDOG,
    ):
        if accelerator is None:
            accelerator = accelerator_for(image, nodes=nodes)
        spec = accelerator.spec
        spec.check(image.config, image.layout)
        positions = min(image.config.context, spec.positions) if context is None else context
        words = memory_map(config=image.config, spec=spec, context=positions).words
        library = rtl_library(accelerator, waves=waves, cache=cache)
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
