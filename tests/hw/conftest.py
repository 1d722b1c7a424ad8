"""Idle and back-pressure patterns, and components in both forms; a folder may have its own."""

import random
from itertools import count
from pathlib import Path

import pytest
from amaranth.hdl import Fragment
from amaranth.hdl._ir import PortDirection
from amaranth.sim import Simulator

from tercel_hw.emission import emit_verilog
from tercel_hw.memory.ports import flat_ports
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target
from tercel_sim import testbench
from tercel_sim.cocotb_runner import run_bench
from tercel_sim.colliding_memories import CollidingMemories
from tercel_sim.testbench import every_cycle, random_gaps

BENCH = Path(__file__).parent / "benches" / "forms_bench.py"


@pytest.fixture(scope="module")
def colliding_memories():
    """While it is in use, a read that meets a write at its address gives garbage."""

    def simulator(dut):
        return Simulator(Fragment.get(dut, CollidingMemories()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testbench, "Simulator", simulator)
        yield


def in_stretches(pattern, length=40):
    """Every cycle for some time, then the pattern for as long, and so on."""
    cycles = count()
    return lambda: next(cycles) // length % 2 == 0 or pattern()


@pytest.fixture(params=["flowing-taking", "flowing-pausing", "gaps-both"])
def patterns(request):
    """Those of a stream's source and sink; gaps meet a sink that now takes, now pauses."""
    return {
        "flowing-taking": (every_cycle, every_cycle),
        "flowing-pausing": (every_cycle, random_gaps(12, 0.4)),
        "gaps-both": (random_gaps(11), in_stretches(random_gaps(12, 0.4))),
    }[request.param]


@pytest.fixture
def idle(patterns):
    return patterns[0]


@pytest.fixture
def back_pressure(patterns):
    return patterns[1]


FORMS = [target.name.lower() for target in Target]
"""Names of a component's forms, by target; the portable one is the first."""


class Forms:
    """All forms of a component as one design, which have their inputs in common."""

    def __init__(self, make):
        text = [primitive_models(target) for target in Target]
        instances = []
        for target in Target:
            component = make()
            name = target.name.lower()
            text.append(emit_verilog(component, f"{name}_form", target=target))
            clocks = [clock for clock in ("clk", "rst") if f"input {clock};" in text[-1]]
            self.inputs, last_input = self._slices(component, PortDirection.Input)
            self.outputs, last_output = self._slices(component, PortDirection.Output)
            pins = [f".{clock}({clock})" for clock in clocks]
            pins += [f".{pin}(inputs[{high}:{low}])" for pin, (low, high) in self.inputs.items()]
            pins += [f".{pin}({name}[{high}:{low}])" for pin, (low, high) in self.outputs.items()]
            instances.append(f"  {name}_form {name}_part ({', '.join(pins)});")
        ports = [
            f"input clk, rst, input [{last_input}:0] inputs",
            f"output [{last_output}:0] {', '.join(FORMS)}",
        ]
        text += [f"module top({', '.join(ports)});", *instances, "endmodule", ""]
        self.verilog = "\n".join(text)

    @staticmethod
    def _slices(component, direction) -> tuple[dict[str, tuple[int, int]], int]:
        """Lowest and highest bit of each port in a word of all, and the last bit of the word."""
        places, at = {}, 0
        for name, (signal, way) in flat_ports(component).items():
            if way is direction and len(signal):
                places[name] = (at, at + len(signal) - 1)
                at += len(signal)
        return places, at - 1

    def words(self, stimulus) -> list[int]:
        """All inputs of each cycle; one that is not given keeps its value."""
        words, now = [], dict.fromkeys(self.inputs, 0)
        for given in stimulus:
            if unknown := set(given) - set(self.inputs):
                raise ValueError(f"no such inputs: {', '.join(sorted(unknown))}")
            now |= given
            places = self.inputs.items()
            words.append(
                sum((now[name] & (2 << high - low) - 1) << low for name, (low, high) in places)
            )
        return words

    def named(self, word: str) -> dict[str, int | str]:
        """The outputs of a form; bits as they are where the simulator does not know them all."""
        values = {}
        for name, (low, high) in self.outputs.items():
            bits = word[len(word) - 1 - high : len(word) - low]
            values[name] = int(bits, 2) if set(bits) <= {"0", "1"} else bits
        return values

    def random(self, *, enables, start_up: int, cycles: int, seed: int):
        """Random bits; every fourth word has all zeros, all ones, or ones from or to some bit."""
        generator = random.Random(seed)
        for cycle in range(start_up + cycles):
            words = {}
            for name, (low, high) in self.inputs.items():
                full = (2 << high - low) - 1
                run = full >> generator.randrange(high - low + 2)
                corner = generator.choice([0, full, run, full ^ run])
                plain = generator.getrandbits(high - low + 1)
                words[name] = corner if generator.random() < 0.25 else plain
                if name in enables:
                    words[name] = int(cycle < start_up or generator.random() < 0.7)
            yield words


@pytest.fixture
def run_forms(simulator, tmp_path_factory):
    """Play inputs to all forms of a component.

    Takes the forms and, for each cycle after the reset, inputs by flat name; one that is left out
    keeps its value. Gives, for each form, a list of outputs by flat name as they stand before each
    cycle's end; an output that a simulator does not know is its bits as text.
    """

    def play(forms: Forms, stimulus) -> list[list[dict]]:
        folder = tmp_path_factory.mktemp("forms")
        arguments = {"inputs": folder / "inputs", "outputs": folder / "outputs"}
        arguments["forms"] = ",".join(FORMS)
        words = forms.words(stimulus)
        arguments["inputs"].write_text("\n".join(f"{word:x}" for word in words))
        run_bench(
            forms.verilog,
            top="top",
            bench=BENCH,
            folder=folder,
            simulator=simulator,
            arguments=arguments,
        )
        rows = [line.split() for line in arguments["outputs"].read_text().splitlines()]
        assert len(rows) == len(words)
        return [[forms.named(word) for word in column] for column in zip(*rows, strict=True)]

    return play


@pytest.fixture
def check_forms(run_forms):
    """Assert that all forms of a component give the same in every cycle after start-up.

    Takes a maker of the component; ``enables``, the inputs that are high for ``start_up`` cycles
    and mostly afterwards; and ``stimulus`` in place of random inputs.
    """

    def check(make, *, start_up, cycles=1000, seed=1, enables=("enable",), stimulus=None) -> None:
        forms = Forms(make)
        if stimulus is None:
            stimulus = forms.random(enables=enables, start_up=start_up, cycles=cycles, seed=seed)
        portable, *others = run_forms(forms, stimulus)
        for form, found in zip(FORMS[1:], others, strict=True):
            pairs = list(zip(portable, found, strict=True))[start_up:]
            wrong = [
                f"{at}: {a} is not {b}"
                for at, (a, b) in enumerate(pairs, start_up)
                if a != b or any(isinstance(value, str) for value in a.values())
            ]
            differ = f"{form}: {len(wrong)} of {len(pairs)} cycles differ: "
            assert not wrong, differ + "; ".join(wrong[:3])

    return check
