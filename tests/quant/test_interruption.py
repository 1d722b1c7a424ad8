import os
import signal
import threading

import pytest

from tercel_quant.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_does_what_it_did(number):
    seen = []
    outer = signal.signal(number, lambda *_: seen.append(number))
    try:
        with Interruption() as interruption:
            assert not interruption.asked
            os.kill(os.getpid(), number)
            assert interruption.asked
            assert not seen
            os.kill(os.getpid(), number)
            assert seen == [number]
        os.kill(os.getpid(), number)
        assert seen == [number] * 2
    finally:
        signal.signal(number, outer)


def test_in_another_thread_it_does_nothing():
    before, found = signal.getsignal(signal.SIGINT), []

    def enter():
        with Interruption() as interruption:
            found.append(signal.getsignal(signal.SIGINT))
            found.append(interruption.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10)
    assert found == [before, False]
