from dataclasses import replace

import pytest
from rich.console import Console

from tercel_hw.registers import COUNTERS
from tercel_sim.cycle_account import CycleAccount
from tercel_sim.measurement import Summary
from tercel_sim.measurement_table import engine_cycles, measurement_table

COUNTED = dict.fromkeys(COUNTERS, 0) | {
    "cycles": 2000,
    "compute": 1000,
    "tape_stall": 300,
    "table_stall": 100,
    "attention": 500,
    "head": 200,
    "bytes_read": 8000,
    "bytes_written": 600,
}


@pytest.fixture
def summary():
    account = CycleAccount(
        moving=800, refreshing=200, turning=20, full=180, latency=300, unasked=500
    )
    return Summary(
        passes=2,
        tokens=6,
        counted=COUNTED,
        ports=(),
        account=account,
        bandwidth=0.25,
        tokens_per_second=750.0,
    )


def test_what_is_left_over_is_free():
    cycles = {"compute": 1000, "tape_stall": 300, "table_stall": 100, "free": 600}
    assert engine_cycles(COUNTED) == cycles


def test_cells_are_means_of_a_pass_and_parts_of_the_cycles(summary):
    console = Console(width=200)
    with console.capture() as text:
        console.print(measurement_table({"prefill": summary, "decode": summary}))
    rows = {}
    for line in text.get().splitlines()[1:]:
        title, *cells = line.rsplit(maxsplit=4 if "bytes" in line else 2)
        rows[title.strip()] = " ".join(cells)
    assert rows == {
        "passes": "2 2",
        "tokens": "6 6",
        "cycles a pass": "1000 1000",
        "the engine works": "50.0% 50.0%",
        "the engine waits for tape": "15.0% 15.0%",
        "the engine waits for rows or tables": "5.0% 5.0%",
        "the engine has no matrix": "30.0% 30.0%",
        "attention": "25.0% 25.0%",
        "head": "10.0% 10.0%",
        "the memory moves": "40.0% 40.0%",
        "the memory refreshes beyond its rate": "10.0% 10.0%",
        "the memory turns": "1.0% 1.0%",
        "the memory finds ports full": "9.0% 9.0%",
        "the memory is on its way": "15.0% 15.0%",
        "the memory is not asked": "25.0% 25.0%",
        "bytes read a pass": "4 kB 4 kB",
        "bytes written a pass": "300 B 300 B",
        "memory's bandwidth": "25.0% 25.0%",
        "tokens/s": "750.0 750.0",
    }


def test_rows_that_are_opened_are_told_where_there_are_banks(summary):
    banked = replace(summary, account=replace(summary.account, rows=220.0))
    console = Console(width=200)
    with console.capture() as text:
        console.print(measurement_table({"decode": banked}))
    assert "the memory opens rows" in text.get()
    assert "11.0%" in text.get()
