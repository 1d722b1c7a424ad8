import pytest

from tercel.errors import TercelError
from tercel_hw.bitstream.tool import find_vivado


def test_what_is_missing_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TercelError) as error:
        find_vivado()
    assert str(error.value) == (
        "a bitstream needs Vivado 2022.1 or newer, but there is no vivado on the path: install it "
        "and source its settings64.sh"
    )


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ("Vivado v2022.1 (64-bit)\nSW Build 3526262", "2022.1"),
        ("vivado v2025.2 (64-bit)", "2025.2"),
        ("vivado v2023.2.2 (64-bit)", "2023.2"),
    ],
)
def test_the_release_is_read(vivado, said, release):
    vivado(said)
    assert find_vivado().release == release


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Vivado v2021.2 (64-bit)", r"needs Vivado 2022\.1 or newer, but .*/vivado is 2021\.2$"),
        ("Vivado v2019.1 (64-bit)", r"is 2019\.1$"),
        ("license expired\nVivado", "does not say its release, but 'license expired'"),
        ("", "does not say its release, but ''"),
    ],
)
def test_another_release_is_refused(vivado, said, message):
    vivado(said)
    with pytest.raises(TercelError, match=message):
        find_vivado()


def test_a_tool_that_does_not_start_is_refused(vivado):
    vivado("").write_text("#!/absent\n")
    with pytest.raises(TercelError, match=r"does not say its release: .*No such file"):
        find_vivado()
