"""One thread of the BLAS for products that are shorter than the waking of another."""

from types import TracebackType

from threadpoolctl import ThreadpoolController

__all__ = ["OneThread"]


class OneThread:
    """While entered, the BLAS has one thread; a context manager that costs a few microseconds.

    ``threadpoolctl``'s own takes 15 us, the time of one of a draft's products.
    """

    def __init__(self):
        controller = ThreadpoolController()
        self._libraries = [
            library for library in controller.lib_controllers if library.user_api == "blas"
        ]
        self._before: list[int | None] = []

    def __enter__(self) -> None:
        self._before = [library.num_threads for library in self._libraries]
        for library in self._libraries:
            library.set_num_threads(1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for library, threads in zip(self._libraries, self._before, strict=True):
            library.set_num_threads(threads)
