"""The pynq library itself on a simulated device; `make test-pynq` sets up its environment."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("pynq") else ["test_*.py"]

from little_model import LITTLE_MODEL  # noqa: E402

from tercel.image import Image, random_image  # noqa: E402
from tercel_hw.top import ACCELERATORS  # noqa: E402
from tercel_sim.rtl_library import rtl_library  # noqa: E402
from tercel_sim.simulated_machine import SimulatedMachine  # noqa: E402
from tercel_sim.simulated_overlay import write_overlay  # noqa: E402

CLOCK_MHZ = 250.0


@pytest.fixture(scope="session")
def accelerator():
    """The tiny accelerator for passes of four nodes, as the other simulations have it."""
    tiny = ACCELERATORS["tiny"]
    return replace(tiny, tlmm=replace(tiny.tlmm, nodes=4))


@pytest.fixture(scope="session")
def library(accelerator):
    return rtl_library(accelerator)


@pytest.fixture
def overlay(tmp_path, accelerator) -> Path:
    """The files of an overlay for 250 MHz."""
    return write_overlay(tmp_path / "overlay", accelerator, clock_mhz=CLOCK_MHZ)


@pytest.fixture
def simulated(library, tmp_path):
    """Makes devices, of 4 MiB but for what it is told; the last one is pynq's active device."""
    import pynq

    from tercel_sim.pynq_device import SimulatedPynqDevice

    machines = []

    def make(**options):
        machines.append(SimulatedMachine(library, **options))
        device = SimulatedPynqDevice(machines[-1], locks=tmp_path)
        pynq.Device.active_device = device
        return device

    yield make
    for machine in machines:
        machine.board.close()


@pytest.fixture(scope="session")
def model():
    """Two layers that take a pass about three thousand cycles."""
    return LITTLE_MODEL


@pytest.fixture(scope="session")
def image(tmp_path_factory, model, accelerator):
    path = tmp_path_factory.mktemp("images") / "little.tercel"
    random_image(path, model, layout=accelerator.layout, seed=1)
    return Image.open(path)
