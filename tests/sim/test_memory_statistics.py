from tercel_sim.memory_statistics import MemoryStatistics, PortStatistics


def port(read, written):
    return PortStatistics(
        read_bursts=1,
        write_bursts=1,
        read_beats=read,
        write_beats=written,
        blocked=0,
        starved=0,
        idle=0,
    )


def test_bytes_of_all_ports():
    found = MemoryStatistics(
        cycles=9,
        refresh=0,
        turnarounds=0,
        turning=0,
        full=0.0,
        latency=0.0,
        unasked=0.0,
        ports=(port(3, 5), port(10, 0)),
        beat_bytes=16,
    )
    assert (found.bytes_read, found.bytes_written) == (13 * 16, 5 * 16)
