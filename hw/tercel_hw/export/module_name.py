"""The rules for names of exported modules."""

import re

from pygments.lexers.hdl import SystemVerilogLexer
from pygments.token import Token

from tercel.errors import TercelError

__all__ = ["MODULE", "check_module_name"]

MODULE = "tercel"
"""Default name of the top module."""
NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")


def check_module_name(name: str, *, reserved: frozenset[str] = frozenset()) -> str:
    """Check the name of a top module and return it.

    All modules of the design begin with it and ``__``, so two designs of different names have no
    module in common.

    Parameters
    ----------
    reserved
        Modules that the design instantiates.

    Raises
    ------
    TercelError
        If it is no plain identifier, has ``_`` at its end or twice in a row, or is a keyword of
        SystemVerilog (which include Verilog's) or a reserved name.
    """
    if not NAME.fullmatch(name):
        raise TercelError(
            "--name must be letters, digits and single underscores between them, a letter first, "
            f"not {name!r}"
        )
    # The lexer recognises some keywords only before another name.
    kind, _ = next(iter(SystemVerilogLexer().get_tokens(f"{name} other")))
    if kind is not Token.Name:
        raise TercelError(f"--name must be no keyword of SystemVerilog, but {name!r} is one")
    if name in reserved:
        raise TercelError(f"--name must not be {name!r}, which the design instantiates")
    return name
