"""Running cocotb benches and compiled simulations."""

import signal

import pytest

from tercel.errors import TercelError
from tercel_hw.emission import emit_verilog
from tercel_sim.cocotb_runner import check_simulator, run_bench
from tercel_sim.verilator import check_compiler, find_verilator

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts jobs in the background so, and they and their children would never see Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def verilator():
    """Verilator and a C++ compiler; skip the test without them."""
    try:
        check_compiler()
        return find_verilator()
    except TercelError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["icarus", pytest.param("verilator", marks=pytest.mark.slow)])
def simulator(request):
    """Each simulator of benches that is installed."""
    try:
        check_simulator(request.param)
    except TercelError as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture
def bench(simulator, tmp_path):
    """Runs a bench on a component, or on its Verilog, with what else the bench is told."""

    def run(component, path, top="top", **arguments):
        verilog = component if isinstance(component, str) else emit_verilog(component, top)
        run_bench(
            verilog, top=top, bench=path, folder=tmp_path, simulator=simulator, arguments=arguments
        )

    return run
