"""The compiled simulation of an accelerator, made once for the same generators."""

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path

from amaranth.lib import wiring

import tercel
import tercel_hw
from tercel.files import make_folder, write_whole
from tercel_hw.emission import emit_verilog
from tercel_hw.top import Accelerator, AcceleratorConfig
from tercel_sim.registered_reset import RegisteredReset
from tercel_sim.verilator import CACHE, LibraryConfig, build_library

__all__ = ["rtl_library", "rtl_verilog"]

TOP = "tercel"


def rtl_verilog(
    config: AcceleratorConfig, *, registered_reset: bool = False, cache: Path = CACHE
) -> str:
    """Verilog of an accelerator, from the cache if no file that it depends on has changed.

    Parameters
    ----------
    registered_reset
        Whether its reset comes a cycle later (:class:`RegisteredReset`).
    """
    path = cache / f"{_key(config)}{'-held' * registered_reset}.v"
    if not path.exists():
        design: wiring.Component = Accelerator(config=config)
        text = emit_verilog(RegisteredReset(design) if registered_reset else design, TOP)
        make_folder(cache)
        write_whole(path, text)
    return path.read_text()


def rtl_library(config: AcceleratorConfig, *, waves: bool = False, cache: Path = CACHE) -> Path:
    """The library of an accelerator, built if the cache has none.

    The kv260's takes minutes, the tiny one's about one.

    Raises
    ------
    TercelError
        If a tool is missing or the build fails.
    """
    library = LibraryConfig(
        ports=config.ports, data_width=8 * config.port_bytes, top=TOP, waves=waves
    )
    verilog = rtl_verilog(config, registered_reset=True, cache=cache)
    return build_library(verilog, config=library, cache=cache)


def _key(config: AcceleratorConfig) -> str:
    """Of the configuration and all that the generators are made of."""
    wrapper = inspect.getsource(RegisteredReset)
    digest = hashlib.sha256(f"{version('amaranth')} {config!r} {wrapper}".encode())
    for package in (tercel_hw, tercel):
        folder = Path(package.__file__ or "").parent
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.relative_to(folder).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:32]
