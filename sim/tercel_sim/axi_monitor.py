"""The check of the rules of AXI4 in a cocotb bench."""

from typing import Any, NoReturn

from cocotb.triggers import RisingEdge

from tercel_sim.axi_rules import AxiBeat, AxiBurst, AxiRules

__all__ = ["monitor_manager"]


async def monitor_manager(dut: Any, prefix: str) -> NoReturn:
    """Check the manager of a port against the rules, outside resets, until it breaks one.

    A bench starts it as a task, which fails the test when a rule is broken.

    Parameters
    ----------
    dut
        Handle of a design with the ports ``clk``, ``rst`` and ``{prefix}_*``.

    Raises
    ------
    AxiRuleError
        If the manager breaks a rule.
    """

    def signals(channel: str, *names: str) -> list[Any]:
        return [getattr(dut, f"{prefix}_{channel}{name}") for name in names]

    handshakes = {channel: signals(channel, "valid", "ready") for channel in ("ar", "aw", "w")}
    fields = ("addr", "len", "size", "burst", "id")
    requests = {channel: signals(channel, *fields) for channel in ("ar", "aw")}
    beat = signals("w", "data", "strb", "last")
    rules = AxiRules(beat_bytes=len(beat[0]) // 8)

    def request(channel: str) -> tuple[AxiBurst | None, bool]:
        valid, ready = handshakes[channel]
        if not valid.value:
            return None, False
        return AxiBurst(*(int(each.value) for each in requests[channel])), bool(ready.value)

    def write_beat() -> tuple[AxiBeat | None, bool]:
        valid, ready = handshakes["w"]
        if not valid.value:
            return None, False
        data, strobes, last = (each.value for each in beat)
        return AxiBeat(int(data), int(strobes), bool(last)), bool(ready.value)

    while True:
        await RisingEdge(dut.clk)
        if not dut.rst.value.is_resolvable or dut.rst.value:
            rules.reset()
            continue
        rules.write_beat(*write_beat())
        rules.read_request(*request("ar"))
        rules.write_request(*request("aw"))
