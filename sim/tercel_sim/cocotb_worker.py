"""Build and run of a bench: ``python -m tercel_sim.cocotb_worker JOB``, in the job's folder.

It is a separate process because the runner takes its settings from the environment. It leads a
process group that ends with its standard input, hence with the process that started it.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

__all__ = ["run"]

BUILD_ARGUMENTS = {
    "icarus": [],
    "verilator": [
        *("--no-public-flat-rw", "-Wno-fatal", "-Wno-lint"),
        *("--x-assign", "fast", "--x-initial", "fast"),
    ],
}


def run(job: dict) -> bool:
    """Run a job; return True if there are tests and all of them pass."""
    folder, top = Path.cwd(), job["top"]
    runner = get_runner(job["simulator"])
    runner.build(
        sources=[folder / source for source in job["sources"]],
        hdl_toplevel=top,
        build_dir=folder / "build",
        build_args=BUILD_ARGUMENTS[job["simulator"]],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        test_module=job["bench"],
        test_dir=folder,
        plusargs=job["plusargs"],
    )
    tests, failures = get_results(results)
    return tests > 0 and failures == 0


def _follow() -> None:
    os.read(0, 1)  # Nothing is ever written, so this returns at the end of the input.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_follow, daemon=True).start()
    sys.exit(0 if run(json.loads(sys.argv[1])) else 1)
