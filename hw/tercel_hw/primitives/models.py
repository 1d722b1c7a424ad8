"""The Verilog text of the models of a target's primitives."""

from pathlib import Path

from tercel_hw.target import Target

__all__ = ["primitive_models"]

FOLDER = Path(__file__).parent
FILES: dict[Target, tuple[str, ...]] = {
    Target.PORTABLE: (),
    Target.SERIES_7: (),
    Target.ULTRASCALE_PLUS: ("dsp48e2.v", "fabric.v"),
}
HEAD = """// Behavioural models of the vendor's primitives,
// for lint and simulation, not for synthesis.
// They are left out where SYNTHESIS is defined. So is a module NAME where TERCEL_NAME is: several
// designs may bring these models, and who simulates with the vendor's defines the names.

"""


def primitive_models(target: Target) -> str:
    """Return the models of all primitives that a design for a target may have, or ''."""
    texts = [(FOLDER / name).read_text(encoding="ascii") for name in FILES[target]]
    return HEAD + "\n".join(texts) if texts else ""
