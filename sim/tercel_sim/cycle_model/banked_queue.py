"""The fluid model of a simulated DRAM with banks."""

from tercel_sim.cycle_model.bank_schedule import StripedStream, word_cycles
from tercel_sim.cycle_model.dram_queue import DramQueue
from tercel_sim.ddr import BankedDdrConfig

__all__ = ["BankedQueue"]


class BankedQueue(DramQueue):
    """A :class:`DramQueue` whose rate is that of a stream through all banks.

    A run that does not continue the one before also waits for its rows: they are opened as soon as
    it has come if their banks are not in use, else when these are free. What a run does not need of
    its first and last access is read all the same.

    Parameters
    ----------
    ddr
        Parameters of the memory.
    stream
        The ports, and how far they may run ahead.
    start
        As for the :class:`DramQueue`.
    """

    def __init__(self, ddr: BankedDdrConfig, stream: StripedStream, *, start: int = 0):
        super().__init__(
            ddr,
            word_bytes=stream.ports * stream.port_bytes,
            ports=stream.ports,
            start=start,
            # Refresh is added again.
            word_cycles=word_cycles(ddr, stream) * (1 - ddr.refresh_part),
        )
        self._config, self._stream = ddr.banks, stream
        self._access_words = ddr.banks.access_bytes // stream.port_bytes
        self._lag = max(map(ddr.banks.lag, range(stream.ports)))
        self._rows: dict[int, tuple[int, int]] = {}  # Open row of each bank, and its port.
        self._busy: set[int] = set()  # Banks of the last words.
        self._next = -1  # Address that continues the last run.

    def _begin(self, words: int, ready: float, address: int) -> float:
        start = super()._begin(words, ready + self._lag, address)
        if address != self._next:
            for bank, row in self._places(address):
                opened = self._rows.get(bank)
                if opened == row:
                    continue
                config = self._config
                cycles = config.open_cycles if opened is None else config.change_cycles
                free = self._free if bank in self._busy else 0.0
                start = max(start, max(ready + self._lag, free) + cycles)
        self._next = address + words
        last = self._places(self._next - 1)
        self._rows.update(last)
        self._busy = {bank for bank, _ in last}
        return start

    def _wasted(self, words: int, address: int) -> int:
        size = self._access_words
        return address % size + -(address + words) % size

    def _places(self, address: int) -> list[tuple[int, tuple[int, int]]]:
        """Return the bank of a word on each port, and the port and its row."""
        config, places = self._config, []
        for port in range(self._stream.ports):
            rows = (address * self._stream.port_bytes + port * config.stagger) // config.row_bytes
            places.append((rows % config.banks, (port, rows // config.banks)))
        return places
