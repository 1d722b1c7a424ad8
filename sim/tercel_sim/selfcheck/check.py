"""The check of a random model on the simulated accelerator against the emulator."""

import random
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tercel.config import ModelConfig
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel_hw.top import AcceleratorConfig
from tercel_sim.build_cache import BuildCache
from tercel_sim.ddr import DDR
from tercel_sim.lockstep import Lockstep, MismatchError
from tercel_sim.progress import Progress, quiet
from tercel_sim.rtl_device import RtlDevice
from tercel_sim.selfcheck.random_model import pass_cycles, random_model
from tercel_sim.selfcheck.random_pass import random_cache, random_pass

__all__ = ["Failure", "ModelCheck", "check_model"]

SLOWEST = 100
"""Factor on the expected cycles of a pass, after which it counts as stuck."""
WATCHDOG = 20_000
"""Cycles without progress after which a pass counts as stuck."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The first pass that failed."""

    number: int
    """Number of passes before it."""
    described: str
    message: str
    """First difference and its place, or the errors that the accelerator reported."""


@dataclass(frozen=True, kw_only=True)
class ModelCheck:
    """Result of the check of a model."""

    seed: int
    model: ModelConfig
    passes: int
    """Number of equal passes."""
    cycles: int
    """Cycles of the simulation, with resets."""
    seconds: float
    failure: Failure | None


def check_model(
    accelerator: AcceleratorConfig,
    *,
    seed: int,
    passes: int,
    most_cycles: int,
    cache: BuildCache | None = None,
    progress: Progress = quiet,
) -> ModelCheck:
    """Compare random passes of a random model; both depend on the seed alone.

    The memory is random too: one that never waits, one of the kv260 with pauses, or a slow one.

    Parameters
    ----------
    most_cycles
        Approximate limit of a pass (:func:`random_model`).
    cache, progress
        Those of :class:`RtlDevice`.

    Raises
    ------
    TercelError
        If no model is small enough, or the simulation cannot be built.
    """
    draw = random.Random(seed)
    spec = accelerator.spec
    model = random_model(draw, spec, most_cycles=most_cycles)
    busy = replace(DDR["kv260-13.3"], pause=0.2, seed=draw.getrandbits(31))
    ddr = draw.choice((DDR["ideal"], busy, replace(busy, pause=0.5, sustained_gbs=2.0)))
    with tempfile.TemporaryDirectory(prefix="tercel-") as folder:
        path = Path(folder) / "random.tercel"
        random_image(path, model, layout=accelerator.layout, seed=draw.getrandbits(31))
        image = Image.open(path)
        context = min(model.context, spec.positions)
        rtl = RtlDevice(
            image,
            accelerator=accelerator,
            context=context,
            ddr=ddr,
            cache=cache,
            progress=progress,
            timeout=SLOWEST * (pass_cycles(model, spec) + 1000) / (ddr.clock_mhz * 1e6),
            watchdog=WATCHDOG / (ddr.clock_mhz * 1e6),
        )
        try:
            pair = Lockstep(rtl, EmulatorDevice(image, nodes=spec.nodes, context=context))
            began = time.perf_counter()
            failure = _run(draw, pair, passes)
            return ModelCheck(
                seed=seed,
                model=model,
                passes=pair.passes,
                cycles=rtl.board.cycles,
                seconds=time.perf_counter() - began,
                failure=failure,
            )
        finally:
            rtl.board.close()


def _run(draw: random.Random, pair: Lockstep, passes: int) -> Failure | None:
    """Run passes until one fails; return the failure, or None."""
    model, limits = pair.rtl.config, pair.rtl.limits
    for number in range(passes):
        chosen = random_pass(draw, model, limits, length=pair.rtl.length)
        length = pair.rtl.length if chosen.restored is None else chosen.restored
        try:
            if chosen.restored is not None:
                pair.restore(random_cache(draw, model, chosen.restored), chosen.restored)
            pair.run_pass(
                chosen.tokens,
                embedding_rows=chosen.rows,
                parents=chosen.parents,
                ask=chosen.ask,
            )
            if chosen.path is not None:
                pair.commit(chosen.path)
        except (MismatchError, TercelError) as error:
            described = chosen.describe(length)
            return Failure(number=number, described=described, message=str(error))
    return None
