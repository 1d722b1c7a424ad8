"""Many primitives in one compiled design, so that millions of operands take seconds."""

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tercel_hw.emission import emit_verilog
from tercel_hw.float32 import Primitive
from tercel_hw.primitives import primitive_models
from tercel_hw.target import Target
from tercel_sim.verilator import build_environment, find_verilator

WORD = 32
FORMS = {"portable": Target.PORTABLE, "ultrascale": Target.ULTRASCALE_PLUS}
"""By name; the 7 series has the portable form of arithmetic."""
HARNESS = """\
#include <cstdint>
#include "Vbank.h"

// Plays two operands a cycle; gives the results as they stand before each cycle's end.
extern "C" void play(const uint32_t *operands, uint32_t *results, uint64_t cycles) {
  Vbank bank;
  for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
    bank.a = *operands++;
    bank.b = *operands++;
    bank.clk = 0;
    bank.eval();
    for (unsigned index = 0; index < WORDS; ++index) *results++ = bank.o[index];
    bank.clk = 1;
    bank.eval();
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A primitive of a bank; each of its operands is ``a``, ``b`` or a constant."""

    primitive: Primitive
    operands: dict[str, str | int]


class Bank(wiring.Component):
    """Independent primitives with common operands; each result starts a 32-bit word of ``o``."""

    o: Signal

    def __init__(self, entries: dict[str, Entry]):
        self._entries = entries
        self.places: dict[str, slice] = {}
        words = 0
        for name, entry in entries.items():
            width = len(Value.cast(entry.primitive.o))
            self.places[name] = slice(words, words + -(-width // WORD))
            words = self.places[name].stop
        self.words = words
        super().__init__({"a": In(WORD), "b": In(WORD), "o": Out(WORD * words)})

    def elaborate(self, platform):
        m = Module()
        for name, entry in self._entries.items():
            m.submodules[name] = entry.primitive
            m.d.comb += entry.primitive.enable.eq(1)
            for operand, source in entry.operands.items():
                value = getattr(self, source) if isinstance(source, str) else source
                m.d.comb += getattr(entry.primitive, operand).eq(value)
            place = self.places[name]
            # Sign-extends signed results to whole words.
            m.d.comb += self.o[place.start * WORD : place.stop * WORD].eq(entry.primitive.o)
        return m


class CompiledBank:
    """Both forms of a bank as a shared library in ``folder``; ``make`` returns new entries."""

    def __init__(self, make: Callable[[], dict[str, Entry]], folder: Path):
        text = [primitive_models(target) for target in FORMS.values()]
        for form, target in FORMS.items():
            entries = make()
            bank = Bank(entries)
            text.append(emit_verilog(bank, form, target=target))
        self._places, self._words = bank.places, 2 * bank.words
        self._latencies = {name: entry.primitive.latency for name, entry in entries.items()}
        bits = WORD * bank.words
        text += [f"module bank(input clk, input [31:0] a, b, output [{2 * bits - 1}:0] o);"]
        for index, form in enumerate(FORMS):
            slice_ = f"o[{(index + 1) * bits - 1}:{index * bits}]"
            text.append(f"  {form} {form}_part(.clk(clk), .rst(1'b0), .a(a), .b(b), .o({slice_}));")
        (folder / "bank.v").write_text("\n".join([*text, "endmodule", ""]))
        (folder / "harness.cpp").write_text(HARNESS)
        program = find_verilator()
        command = [
            *(str(program), "--cc", "--exe", "--build", "-j", "2", "--Mdir", "made"),
            *("--prefix", "Vbank", "--top-module", "bank", "-o", "bank.so"),
            *("--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint"),
            *("-CFLAGS", f"-fPIC -DWORDS={self._words}", "-LDFLAGS", "-shared"),
            *("-MAKEFLAGS", "OPT_FAST=-O1", "bank.v", "harness.cpp"),
        ]
        environment = build_environment(program)
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        self._play = ctypes.CDLL(str(folder / "made" / "bank.so")).play
        word = np.ctypeslib.ndpointer(np.uint32, flags="C_CONTIGUOUS")
        self._play.restype, self._play.argtypes = None, [word, word, ctypes.c_uint64]

    def results(self, a: np.ndarray, b: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
        """Results of 32-bit operands ``[n]``: uint32 ``[n, words]`` by form and name."""
        cycles = len(a) + max(self._latencies.values())
        operands = np.zeros((cycles, 2), np.uint32)
        operands[: len(a)] = np.stack([a.view(np.uint32), b.view(np.uint32)], axis=-1)
        words = np.empty((cycles, self._words), np.uint32)
        self._play(operands, words, cycles)
        named = {}
        for form, half in zip(FORMS, np.split(words, 2, axis=1), strict=True):
            named[form] = {
                name: half[self._latencies[name] :][: len(a), place]
                for name, place in self._places.items()
            }
        return named
