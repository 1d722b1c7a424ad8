"""How long passes really take, in the cycle-accurate simulation."""

from dataclasses import dataclass

from tercel.program import Arena, PassBuilder, memory_map
from tercel_hw.registers import accelerator_registers
from tercel_hw.top import AcceleratorConfig
from tercel_sim.cycle_model.chain import chain_request
from tercel_sim.rtl_device import RtlDevice

__all__ = ["Measurement", "measure_pass"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What the registers showed after a pass."""

    start: int
    """Cycle of the memory's clock in which the pass began."""
    cycles: int
    bytes_read: int
    bytes_written: int


def measure_pass(
    device: RtlDevice,
    accelerator: AcceleratorConfig,
    *,
    nodes: int,
    past: int,
    head_rows: int | None,
    best: int = 0,
    limit: int = 1 << 30,
) -> Measurement:
    """Run the pass that `predict_pass` predicts for the same arguments.

    The cache need not be filled before: what lies in it decides no cycle. The device counts no
    position; its cache is overwritten from ``past`` on.

    Parameters
    ----------
    device
        The simulation, with the context to be predicted for.
    accelerator
        What it simulates.
    limit
        Cycles after which the pass counts as stuck.

    Raises
    ------
    TercelError
        If the pass does not end in time.
    """
    board, machine = device.board, accelerator.machine
    places = memory_map(config=device.config, machine=machine, context=device.limits.context)
    request = chain_request(device.config, nodes=nodes, past=past, head_rows=head_rows, best=best)
    builder = PassBuilder(config=device.config, machine=machine, memory_map=places)
    program = builder.build(request)
    Arena(board, places).write_program(program)
    offsets = accelerator_registers(accelerator.control).constants()

    def write_long(name: str, value: int) -> None:
        board.write_register(offsets[name], value & 0xFFFFFFFF)
        board.write_register(offsets[name] + 4, value >> 32)

    def read_long(name: str) -> int:
        low = board.read_register(offsets[name])
        return low | board.read_register(offsets[name] + 4) << 32

    write_long("PROGRAM_ADDRESS", places.program.first_word)
    board.write_register(offsets["PROGRAM_LENGTH"], len(program))
    board.write_register(offsets["CONTROL"], offsets["CONTROL_START_MASK"])
    start = board.cycles
    board.wait(limit)
    return Measurement(
        start=start,
        cycles=read_long("CYCLES"),
        bytes_read=read_long("BYTES_READ"),
        bytes_written=read_long("BYTES_WRITTEN"),
    )
