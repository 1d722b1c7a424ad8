"""The DSP48E2, multiplier and adder of UltraScale+ (UG579), with every pin tied."""

from collections.abc import Mapping

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Value

__all__ = ["A_BITS", "B_BITS", "D_BITS", "P_BITS", "dsp48e2", "sign_extended"]

A_BITS, B_BITS, D_BITS, P_BITS = 30, 18, 27, 48
INPUTS = {
    "A": A_BITS,
    "B": B_BITS,
    "C": P_BITS,
    "D": D_BITS,
    "ACIN": A_BITS,
    "BCIN": B_BITS,
    "PCIN": P_BITS,
    "CARRYCASCIN": 1,
    "MULTSIGNIN": 1,
    "CARRYIN": 1,
    "CARRYINSEL": 3,
    "ALUMODE": 4,
    "INMODE": 5,
    "OPMODE": 9,
}
ENABLES = (
    *("CEA1", "CEA2", "CEAD", "CEALUMODE", "CEB1", "CEB2", "CEC", "CECARRYIN"),
    *("CECTRL", "CED", "CEINMODE", "CEM", "CEP"),
)
RESETS = (
    *("RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB", "RSTC", "RSTCTRL", "RSTD"),
    *("RSTINMODE", "RSTM", "RSTP"),
)
OUTPUTS = ("P", "PCOUT", "PATTERNDETECT")


def sign_extended(value: Value, width: int) -> Value:
    """Extend a value to the width of an input, with its sign if its shape is signed.

    Raises
    ------
    ValueError
        If the value is wider.
    """
    value = Value.cast(value)
    if len(value) > width:
        raise ValueError(f"a value of {len(value)} bits does not fit an input of {width}")
    fill = value[-1] if value.shape().signed and len(value) else Const(0, 1)
    return Cat(value, fill.replicate(width - len(value)))


def dsp48e2(
    *, attributes: Mapping[str, int | str], inputs: Mapping[str, Value], **outputs: Value
) -> Instance:
    """Return an instance of a DSP48E2 in the domain ``sync``.

    Parameters
    ----------
    attributes
        Attributes that differ from the vendor's defaults.
    inputs
        Pins by name; shorter values are extended. By default data are zero, clock enables one,
        resets zero.
    outputs
        Any of ``P``, ``PCOUT`` (48 bits) and ``PATTERNDETECT`` (a bit).

    Raises
    ------
    ValueError
        If there is no such pin, or a value is wider than its pin.
    """
    known = {**INPUTS, **dict.fromkeys(ENABLES, 1), **dict.fromkeys(RESETS, 1)}
    for names, pins in ((inputs, known), (outputs, OUTPUTS)):
        if unknown := set(names) - set(pins):
            raise ValueError(f"a DSP48E2 has no pin {', '.join(sorted(unknown))}")
    pins = {}
    for name, width in known.items():
        given = inputs.get(name, Const(1 if name in ENABLES else 0, 1))
        pins[f"i_{name}"] = sign_extended(given, width)
    return Instance(
        "DSP48E2",
        i_CLK=ClockSignal("sync"),
        **{f"p_{name}": value for name, value in attributes.items()},
        **pins,
        **{f"o_{name}": value for name, value in outputs.items()},
    )
