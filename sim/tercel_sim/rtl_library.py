"""The compiled simulation of an accelerator, cached until its generators change."""

import hashlib
import inspect
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from amaranth.lib import wiring

import tercel
import tercel_hw
from tercel_hw.emission import emit_verilog
from tercel_hw.top import ACCELERATORS, Accelerator, AcceleratorConfig
from tercel_sim.build_cache import BuildCache
from tercel_sim.progress import Progress, quiet
from tercel_sim.registered_reset import RegisteredReset
from tercel_sim.verilator import LibraryConfig, build_library, check_compiler, find_verilator

__all__ = ["describe", "rtl_library", "rtl_verilog", "verilog_name"]

TOP = "tercel"


def rtl_verilog(
    config: AcceleratorConfig,
    *,
    registered_reset: bool = False,
    cache: BuildCache | None = None,
    progress: Progress = quiet,
) -> str:
    """Return an accelerator's Verilog, from the cache if no file of the generators changed.

    Parameters
    ----------
    registered_reset
        True to register its reset (:class:`RegisteredReset`).
    progress
        Shows the emission.

    Raises
    ------
    TercelError
        If the cache cannot be written.
    """

    def build(folder: Path) -> Path:
        with progress(f"emitting Verilog of {TOP}"):
            design: wiring.Component = Accelerator(config=config)
            text = emit_verilog(RegisteredReset(design) if registered_reset else design, TOP)
        (folder / "design.v").write_text(text)
        return folder / "design.v"

    cache = BuildCache() if cache is None else cache
    title, about = describe(config), {"parameters": config.parameters()}
    name = verilog_name(config, registered_reset=registered_reset)
    return cache.obtain(name, build, title=title, about=about, progress=progress).read_text()


def rtl_library(
    config: AcceleratorConfig,
    *,
    waves: bool = False,
    cache: BuildCache | None = None,
    progress: Progress = quiet,
) -> Path:
    """Return the library of an accelerator, built if the cache has none.

    The build takes about a minute for ``tiny``, many for the kv260.

    Raises
    ------
    TercelError
        If a tool is missing (checked first), the build fails or the cache cannot be written.
    """
    cache = BuildCache() if cache is None else cache
    find_verilator()
    if cache.find(verilog_name(config, registered_reset=True)) is None:
        check_compiler()
    library = LibraryConfig(
        ports=config.ports, data_width=8 * config.port_bytes, top=TOP, waves=waves
    )
    return build_library(
        rtl_verilog(config, registered_reset=True, cache=cache, progress=progress),
        config=library,
        cache=cache,
        title=describe(config) + ", with waves" * waves,
        about={"parameters": config.parameters(), "waves": waves},
        progress=progress,
    )


def describe(config: AcceleratorConfig) -> str:
    """Describe an accelerator in a few words: its preset, if only K differs, and its shape."""
    presets = {
        replace(known, tlmm=replace(known.tlmm, nodes=config.nodes)): name
        for name, known in ACCELERATORS.items()
    }
    return (
        f"{presets.get(config, 'own')}: {config.tlmm.code}, {config.tlmm.tables} tables, "
        f"{config.nodes} nodes, {config.ports} ports of {8 * config.port_bytes} bits"
    )


def verilog_name(config: AcceleratorConfig, *, registered_reset: bool) -> str:
    """Return the name of :func:`rtl_verilog`'s entry in the cache."""
    return f"{_key(config)}{'-registered' * registered_reset}.v"


def _key(config: AcceleratorConfig) -> str:
    """Return a hash of the configuration and of all sources of the generators."""
    wrapper = inspect.getsource(RegisteredReset)
    digest = hashlib.sha256(f"{version('amaranth')} {config!r} {wrapper}".encode())
    for package in (tercel_hw, tercel):
        folder = Path(package.__file__ or "").parent
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.relative_to(folder).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:32]
