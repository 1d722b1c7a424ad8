"""Borders between the syntax tokens of Verilog."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from tercel.errors import TercelError
from tercel.speculation.acceptors.truncation import Boundary

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["VerilogBoundary"]

WINDOW = 1024
"""Tokens of the text that are parsed before the new ones."""
CLOSED = frozenset({")", "]", "}", ";", ","})
"""Syntax tokens that no further character makes longer."""


class VerilogBoundary(Boundary):
    """Ends of complete keywords, names, numbers, operators and comments, and the space after them.

    The parser is tree-sitter's grammar of SystemVerilog, which also takes text that is incomplete
    or wrong. The last syntax token is complete if it cannot become longer.

    Parameters
    ----------
    token_bytes
        The bytes of a token's text.

    Raises
    ------
    TercelError
        If the parser is not installed.
    """

    def __init__(self, token_bytes: Callable[[int], bytes]):
        try:
            import tree_sitter
            import tree_sitter_systemverilog
        except ModuleNotFoundError as error:
            raise TercelError(
                f"borders of Verilog need {error.name}, which is not installed; "
                "install the extra with `pip install 'tercel[verilog]'`"
            ) from None
        language = tree_sitter.Language(tree_sitter_systemverilog.language())
        self._parser = tree_sitter.Parser(language)
        self._token_bytes = token_bytes

    def kept(self, text: Sequence[int], tokens: Sequence[int]) -> int:
        before = b"".join(self._token_bytes(token) for token in text[-WINDOW:])
        pieces = [self._token_bytes(token) for token in tokens]
        source = before + b"".join(pieces)
        inside = _inside(self._parser.parse(source), source)
        ends = list(accumulate(map(len, pieces), initial=len(before)))
        return next((n for n in range(len(tokens), 1, -1) if not inside[ends[n]]), 1)


def _inside(tree: "Tree", source: bytes) -> bytearray:
    """Flag by offset: 1 inside a syntax token, 0 at its ends and between two."""
    inside = bytearray(len(source) + 1)
    last = None
    for first, end, kind in _leaves(tree):
        inside[first + 1 : end] = b"\1" * (end - first - 1)
        last = end, kind
    if last is not None and last[0] == len(source) and last[1] not in CLOSED:
        inside[len(source)] = 1
    return inside


def _leaves(tree: "Tree") -> Iterator[tuple[int, int, str]]:
    """First and end offset and kind of every syntax token that has text, in order."""
    cursor = tree.walk()
    while True:
        while cursor.goto_first_child():
            pass
        node = cursor.node
        if node is not None and node.end_byte > node.start_byte and node.child_count == 0:
            yield node.start_byte, node.end_byte, node.type
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
