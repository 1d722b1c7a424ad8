"""The cut of a design's RTLIL into blocks that are synthesised one by one."""

import re
from dataclasses import dataclass

from tercel.errors import TercelError

__all__ = ["CONTAINERS", "Block", "cut"]

CONTAINERS = ("", "memory", "core")
"""Modules whose children are blocks; the rest of each of them is a block as well."""
MODULE = re.compile(
    r"^(?:attribute [^\n]*\n)*module \\(?P<name>\S+)\n.*?^end\n", re.MULTILINE | re.DOTALL
)
CELL = re.compile(r"^  cell \\(\S+) ", re.MULTILINE)
PORT = re.compile(r"^  wire (?:width \d+ )?(?:input|output) \d+ [^\n]*\n", re.MULTILINE)
BLACK_BOX = "attribute \\blackbox 1\nattribute \\keep 1\n"


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of a design."""

    name: str
    """Path in the design, as ``core.engine``; a container's ends in ``.*``."""
    top: str
    """Name of its module."""
    rtlil: str
    """RTLIL of its module and all below; other blocks in it are black boxes."""


def cut(rtlil: str, *, top: str) -> tuple[Block, ...]:
    """Cut a design into blocks, smallest RTLIL first.

    Every cell of the design is in exactly one block, so the resources of all blocks add up.

    Parameters
    ----------
    rtlil
        The design, as Amaranth writes it: a module's name is its path.
    top
        Top module of the design.

    Raises
    ------
    TercelError
        If the design has no such module.
    """
    modules = {match["name"]: match[0] for match in MODULE.finditer(rtlil)}
    if top not in modules:
        raise TercelError(f"the design has no module {top!r}")
    containers = {f"{top}.{name}" if name else top for name in CONTAINERS} & set(modules)
    blocks = []
    for container in containers:
        children = _children(modules, container)
        boxes = "".join(_black_box(modules[child]) for child in children)
        name = container.removeprefix(f"{top}.") if container != top else ""
        whole = f"{name}.*".lstrip(".")
        blocks.append(Block(name=whole, top=container, rtlil=modules[container] + boxes))
        blocks += [
            Block(name=child.removeprefix(f"{top}."), top=child, rtlil=_whole(modules, child))
            for child in children
            if child not in containers
        ]
    return tuple(sorted(blocks, key=lambda block: (len(block.rtlil), block.name)))


def _children(modules: dict[str, str], name: str) -> list[str]:
    """Return the modules of a module's cells, each once."""
    return list(dict.fromkeys(cell for cell in CELL.findall(modules[name]) if cell in modules))


def _whole(modules: dict[str, str], name: str) -> str:
    """Return the RTLIL of a module and all below it."""
    found, waiting = {}, [name]
    while waiting:
        if (module := waiting.pop()) not in found:
            found[module] = modules[module]
            waiting += _children(modules, module)
    return "".join(found.values())


def _black_box(module: str) -> str:
    """Return a module with the same ports and no contents."""
    head = module[module.index("module ") :].partition("\n")[0]
    return f"{BLACK_BOX}{head}\n{''.join(PORT.findall(module))}end\n"
