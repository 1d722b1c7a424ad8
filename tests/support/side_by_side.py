"""Several components as one, so that they are emitted and simulated together."""

from collections.abc import Mapping

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In


class SideBySide(wiring.Component):
    """Components whose members have the component's name at the end; they share ``enable``."""

    def __init__(self, parts: Mapping[str, wiring.Component]):
        self._parts = dict(parts)
        super().__init__(
            {
                self._name(member, part): shape
                for part, component in self._parts.items()
                for member, shape in component.signature.members.items()
            }
        )

    @staticmethod
    def _name(member: str, part: str) -> str:
        return member if member == "enable" else f"{member}_{part}"

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, part in self._parts.items():
            m.submodules[name] = part
            for member, shape in part.signature.members.items():
                outside, inside = getattr(self, self._name(member, name)), getattr(part, member)
                m.d.comb += inside.eq(outside) if shape.flow == In else outside.eq(inside)
        return m
