"""Replacement of escaped identifiers in Verilog that Yosys wrote."""

import re

__all__ = ["plain_identifiers"]

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\\(\S+)(?: (?![\w\\]))?|[A-Za-z_]\w*')
"""A string, an escaped identifier with the space that ends it, or a word."""
PARTS = re.compile(r"\w+|\.")


def plain_identifiers(verilog: str) -> str:
    """Return the same design with no escaped identifier and no ``$`` in a name.

    Viewers of waves misread escaped identifiers: ``$auto$1`` is outside the grammar of VCD, and
    ``base[0]`` is a bit of ``base`` there. The dots of modules' and members' names become ``__``,
    everything else that is no letter or digit ``_``. A name is replaced by the same one in the
    whole text, so ports stay connected, and by one that nothing else in the text has.

    Parameters
    ----------
    verilog
        Text of which every ``$`` or ``\\`` outside strings belongs to an escaped identifier or to
        a system function.
    """
    taken, escaped = set[str](), dict[str, None]()
    for token in TOKEN.finditer(verilog):
        if name := token[1]:
            escaped[name] = None
        else:
            taken.add(token[0])
    names = {}
    for name in escaped:
        plain = names[name] = _free(_plain(name), taken)
        taken.add(plain)
    return TOKEN.sub(lambda token: names[token[1]] if token[1] else token[0], verilog)


def _plain(name: str) -> str:
    parts = PARTS.findall(name)
    if len(parts) == 1 and not parts[0].isdigit():
        return f"{parts[0]}_"  # It may be a keyword, hence escaped.
    text = "_".join(parts).replace("_._", "__")
    return f"_{text}" if text[0].isdigit() else text


def _free(name: str, taken: set[str]) -> str:
    """Return the name, or the first of ``name_1``, ``name_2``, ... that is not taken."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
