from tercel.device import Counters

one = Counters(passes=1, nodes=2, tape_bytes_read=30, kv_bytes_read=400, kv_bytes_written=5000)
two = Counters(passes=2, nodes=4, tape_bytes_read=60, kv_bytes_read=800, kv_bytes_written=10000)


def test_counters_add_and_subtract_field_by_field():
    assert one + one == two
    assert two - one == one
    assert one - one == Counters()


def test_bytes_read_are_those_of_tape_and_cache():
    assert one.bytes_read == 430
