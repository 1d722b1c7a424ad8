"""The BLAS has one thread inside, and as many as before outside."""

import pytest
from threadpoolctl import ThreadpoolController

from tercel.speculation.drafters.one_thread import OneThread


def threads():
    return [
        library.num_threads
        for library in ThreadpoolController().lib_controllers
        if library.user_api == "blas"
    ]


@pytest.mark.parametrize("outer", [1, 2])
def test_the_threads_come_back_also_after_an_error(outer):
    with ThreadpoolController().limit(limits=outer, user_api="blas"):
        before = threads()
        assert before
        one = OneThread()
        with one:
            assert set(threads()) == {1}
        assert threads() == before
        with pytest.raises(ValueError, match="inside"), one:
            raise ValueError("inside")
        assert threads() == before
