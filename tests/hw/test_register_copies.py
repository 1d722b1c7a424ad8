# amaranth: UnusedElaboratable=no

import pytest

from tercel_hw.emission import emit_rtlil
from tercel_hw.register_copies import RegisterCopies
from tercel_hw.synthesis.blocks import Block
from tercel_hw.synthesis.run import measure_blocks
from tercel_hw.target import Target
from tercel_sim.testbench import run


def test_every_copy_has_the_input_of_the_cycle_before():
    dut = RegisterCopies(width=3, copies=4)

    async def bench(ctx):
        for value in (5, 2, 7, 0, 1):
            ctx.set(dut.i, value)
            await ctx.tick()
            assert list(ctx.get(dut.o)) == [value] * 4

    run(dut, bench, max_cycles=32)


def test_both_forms_are_one(check_forms):
    check_forms(lambda: RegisterCopies(width=2, copies=3), start_up=1, cycles=100, enables=())


def test_copies_survive_the_synthesis(tmp_path):
    """Yosys merges equal registers in spite of ``keep``, as the portable form shows."""
    found = {}
    for target in (Target.PORTABLE, Target.ULTRASCALE_PLUS):
        rtlil = emit_rtlil(RegisterCopies(width=2, copies=8), "copies", target=target)
        (measured,) = measure_blocks(
            [Block(name="copies", top="copies", rtlil=rtlil)], target=target, cache=tmp_path
        )
        found[target] = measured.resources.ff
    assert found == {Target.PORTABLE: 2, Target.ULTRASCALE_PLUS: 16}


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"width": 0, "copies": 1}, r"width must be an integer in 1\.\.1024, not 0"),
        ({"width": 1, "copies": 0}, r"copies must be an integer in 1\.\.4096, not 0"),
    ],
)
def test_a_broken_parameter_is_named(fields, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        RegisterCopies(**fields)
