import pytest

from tercel.errors import TercelError
from tercel.runtime.prompt_file import Prompt, read_prompts


def test_a_text_file_is_one_prompt(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir,\n\n")
    assert read_prompts(path) == [Prompt(kind="letter", text="Dear Sir,\n\n")]


def test_lines_of_json_are_a_prompt_each(tmp_path):
    path = tmp_path / "code.jsonl"
    path.write_text('{"prompt": "a\\nb", "id": 3}\n\n{"prompt": "c"}\n')
    assert read_prompts(path) == [Prompt(kind="code", text="a\nb"), Prompt(kind="code", text="c")]


def test_a_line_ends_at_a_line_feed_alone(tmp_path):
    """JSON takes the other line ends of Unicode inside a string as they are."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "a\u2028b\x85c"}\r\n{"prompt": "d"}', newline="")
    assert [prompt.text for prompt in read_prompts(path)] == ["a\u2028b\x85c", "d"]


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", "{}", '{"prompt": 3}', '{"prompt": ""}', "[" * 100_000]
)
def test_a_line_that_is_no_prompt_is_named(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "x"}\n' + line)
    with pytest.raises(TercelError, match=r"line 2 of .*a\.jsonl must be a JSON object with a te"):
        read_prompts(path)


def test_files_without_a_prompt_are_refused(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(TercelError, match=r"cannot read .*: No such file"):
        read_prompts(path)
    path.write_bytes(b"")
    with pytest.raises(TercelError, match="has no prompt; write one into it"):
        read_prompts(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TercelError, match="is not UTF-8 text"):
        read_prompts(path)
    path = tmp_path / "a.jsonl"
    path.write_text("\n")
    with pytest.raises(TercelError, match="has no prompt"):
        read_prompts(path)
