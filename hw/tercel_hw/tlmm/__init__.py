"""The ternary table-lookup matmul engine."""

from tercel_hw.tlmm.accumulator import Accumulator
from tercel_hw.tlmm.adder_tree import AdderTree
from tercel_hw.tlmm.decoder import CodeDecoder
from tercel_hw.tlmm.engine import TlmmEngine
from tercel_hw.tlmm.filler import TableFiller
from tercel_hw.tlmm.generator import TableGenerator
from tercel_hw.tlmm.group_tree import GroupTree
from tercel_hw.tlmm.issuer import RowIssuer
from tercel_hw.tlmm.multiplier_decoder import MultiplierDecoder
from tercel_hw.tlmm.power_bank import PowerBank
from tercel_hw.tlmm.table_bank import TableBank

__all__ = [
    "Accumulator",
    "AdderTree",
    "CodeDecoder",
    "GroupTree",
    "MultiplierDecoder",
    "PowerBank",
    "RowIssuer",
    "TableBank",
    "TableFiller",
    "TableGenerator",
    "TlmmEngine",
]
