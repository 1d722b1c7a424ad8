"""A point of the design space: the parameters that are searched."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from tercel_hw.top import AcceleratorConfig

__all__ = ["Design"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """The searched parameters of an accelerator; all others are those of a preset."""

    nodes: int
    """Lanes, K."""
    ports: int
    port_bytes: int
    code: str
    """Weight code."""
    tables: int
    chain: int
    """Multipliers of a chain of the dense engine."""
    tape_words: int
    """Words of the tape buffer."""
    clock_mhz: float

    @classmethod
    def of(cls, config: AcceleratorConfig, clock_mhz: float) -> "Design":
        """Return the design of an accelerator at a clock."""
        return cls(
            nodes=config.nodes,
            ports=config.ports,
            port_bytes=config.port_bytes,
            code=config.tlmm.code,
            tables=config.tlmm.tables,
            chain=config.chain,
            tape_words=config.tape_words,
            clock_mhz=clock_mhz,
        )

    def accelerator(self, preset: AcceleratorConfig) -> AcceleratorConfig:
        """Return the accelerator with these parameters and the other ones of a preset.

        Raises
        ------
        TypeError, ValueError, TercelError
            If the parameters break a rule.
        """
        tlmm = replace(preset.tlmm, code=self.code, tables=self.tables, nodes=self.nodes)
        return replace(
            preset,
            tlmm=tlmm,
            ports=self.ports,
            port_bytes=self.port_bytes,
            chain=self.chain,
            tape_words=self.tape_words,
        )

    def to_dict(self) -> dict[str, Any]:
        """All parameters by name."""
        return asdict(self)

    @property
    def short(self) -> str:
        """The parameters in one line, as ``K8 4x128 base3 77 chain 16 tape 16384 250 MHz``."""
        return (
            f"K{self.nodes} {self.ports}x{8 * self.port_bytes} {self.code} {self.tables} "
            f"chain {self.chain} tape {self.tape_words} {self.clock_mhz:g} MHz"
        )
