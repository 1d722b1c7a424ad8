from tercel.device import Counters
from tercel.runtime import GenerationStatistics
from tercel.speculation import SpeculationStatistics

NAMES = ("prefill_tokens_per_second", "tokens_per_second", "tape_bytes_per_token")
NAMES += ("kv_bytes_per_token", "bytes_per_token")


def test_ratios_leave_the_first_token_to_the_prefill():
    found = GenerationStatistics(
        prompt_tokens=5,
        prefilled_tokens=6,
        generated_tokens=5,
        prefill_seconds=3.0,
        decode_seconds=0.5,
        first_token_seconds=3.5,
        prefill=Counters(passes=9, tape_bytes_read=10_000),
        decode=Counters(passes=3, tape_bytes_read=400, kv_bytes_read=40),
    )
    assert found.decoded_tokens == 4
    assert [getattr(found, name) for name in NAMES] == [2.0, 8.0, 100.0, 10.0, 110.0]
    assert found.to_dict() == dict(zip(NAMES, [2.0, 8.0, 100.0, 10.0, 110.0], strict=True)) | {
        "prompt_tokens": 5,
        "prefilled_tokens": 6,
        "generated_tokens": 5,
        "prefill_seconds": 3.0,
        "decode_seconds": 0.5,
        "first_token_seconds": 3.5,
        "decode_passes": 3,
        "speculation": SpeculationStatistics().to_dict(),
    }


def test_without_tokens_there_are_no_ratios():
    for generated in (0, 1):
        found = GenerationStatistics(generated_tokens=generated)
        assert found.decoded_tokens == 0
        assert [getattr(found, name) for name in NAMES] == [None] * 5
