import os
import signal

import pytest

from tercel.cli.interrupt import on_interrupt


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_acts_and_the_second_does_what_it_did_before():
    seen = []
    before = signal.getsignal(signal.SIGINT)
    with on_interrupt(lambda: seen.append(1)):
        interrupt()
        assert seen == [1]
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert seen == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_block_that_fails_leaves_the_signal_as_it_was():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), on_interrupt(lambda: None):
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before
