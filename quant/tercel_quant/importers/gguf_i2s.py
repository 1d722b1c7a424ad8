"""Layouts of I2_S, the ternary tensors of bitnet.cpp.

A byte holds four two-bit codes, trit plus one, the first in its highest bits. The layouts differ in
the four weights of a byte.
"""

import abc
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tercel.errors import TercelError

__all__ = ["I2S_LAYOUTS", "I2sLayout"]


class I2sLayout(abc.ABC):
    """An order of the weights in the bytes of a matrix."""

    @abc.abstractmethod
    def check(self, rows: int, columns: int) -> None:
        """Check that the layout has matrices of this shape.

        Raises
        ------
        TercelError
            If it has not.
        """

    @abc.abstractmethod
    def rows_of_units(self, columns: int) -> int:
        """Fewest rows whose weights share no byte with other rows."""

    @abc.abstractmethod
    def run(self, columns: int) -> int:
        """Length of the four runs of consecutive weights that as many bytes hold."""

    def trits(self, packed: npt.NDArray[np.uint8], columns: int) -> npt.NDArray[np.int8]:
        """Unpack a multiple of :meth:`rows_of_units` rows.

        Parameters
        ----------
        packed : uint8, shape (rows * columns / 4,)

        Returns
        -------
        int8, shape (rows, columns)

        Raises
        ------
        TercelError
            If a code is 3, which is not a trit.
        """
        runs = packed.reshape(-1, self.run(columns))
        codes = np.stack([(runs >> shift) & np.uint8(3) for shift in (6, 4, 2, 0)], axis=1)
        if codes.size and codes.max() == 3:
            raise TercelError("holds the two-bit code 3, which is no trit; the file is damaged")
        return codes.view(np.int8).reshape(-1, columns) - np.int8(1)


@dataclass(frozen=True)
class Quarters(I2sLayout):
    """A byte holds one weight of each quarter of ``weights`` consecutive weights."""

    weights: int

    def check(self, rows: int, columns: int) -> None:
        if rows * columns % self.weights:
            raise TercelError(f"must have a multiple of {self.weights} weights")

    def rows_of_units(self, columns: int) -> int:
        return self.weights // math.gcd(self.weights, columns)

    def run(self, columns: int) -> int:
        return self.weights // 4


@dataclass(frozen=True)
class Columns(I2sLayout):
    """A byte holds one column of four consecutive rows."""

    def check(self, rows: int, columns: int) -> None:
        if rows % 4:
            raise TercelError(f"must have a multiple of 4 rows, not {rows}")

    def rows_of_units(self, columns: int) -> int:
        return 4

    def run(self, columns: int) -> int:
        return columns


I2S_LAYOUTS: dict[str, I2sLayout] = {"x86": Quarters(128), "arm": Quarters(64), "rows": Columns()}
"""Layouts by name: bitnet.cpp writes ``x86`` and ``arm`` on such processors, and ``rows`` on x86 if
it is built without ACT_PARALLEL."""
