import pytest

from tercel.errors import TercelError
from tercel.hwmon import power_sensors, read_sensors, temperature_sensors


@pytest.fixture
def chip(tmp_path):
    """Writes the files of a chip as the kernel shows them."""

    def write(number, name, **files):
        folder = tmp_path / f"hwmon{number}"
        folder.mkdir()
        for file, text in ({"name": name} | files).items():
            (folder / file).write_text(f"{text}\n")
        return folder

    return write


def test_a_kria_board(chip, tmp_path):
    chip(10, "ina260_u14", power1_input=3570000, curr1_input=714, in1_input=5001)
    chip(2, "ams", temp1_input=41250, temp1_label="PS_TEMP", temp2_input=39500, fan1_input=1200)
    found = [(sensor.name, sensor.read(), sensor.unit) for sensor in read_sensors(tmp_path)]
    assert found == [  # in the order of the chips' numbers; fans are left out
        ("ams PS_TEMP", pytest.approx(41.25), "degC"),
        ("ams temp2", pytest.approx(39.5), "degC"),
        ("ina260_u14 curr1", pytest.approx(0.714), "A"),
        ("ina260_u14 in1", pytest.approx(5.001), "V"),
        ("ina260_u14 power1", pytest.approx(3.57), "W"),
    ]
    assert [sensor.name for sensor in power_sensors(tmp_path)] == ["ina260_u14 power1"]
    assert len(temperature_sensors(tmp_path)) == 2


def test_a_rail_is_not_the_power_of_the_board(chip, tmp_path):
    chip(0, "ina226_u76", power1_input=100)
    assert power_sensors(tmp_path) == ()
    assert [sensor.chip for sensor in power_sensors(tmp_path, chip="ina226")] == ["ina226_u76"]


def test_a_machine_without_sensors(tmp_path):
    assert read_sensors(tmp_path / "nothing") == ()


def test_a_chip_without_a_name_has_its_folders(chip, tmp_path):
    (chip(3, "x", temp1_input=0) / "name").unlink()
    assert [sensor.name for sensor in read_sensors(tmp_path)] == ["hwmon3 temp1"]


@pytest.mark.parametrize("text", ["", "no number"])
def test_a_sensor_that_does_not_answer(chip, tmp_path, text):
    chip(0, "ina260_u14", power1_input=text)
    (sensor,) = power_sensors(tmp_path)
    with pytest.raises(TercelError, match="the sensor ina260_u14 power1 cannot be read"):
        sensor.read()
    sensor.path.unlink()
    with pytest.raises(TercelError, match=r"power1 cannot be read: .*No such file"):
        sensor.read()
