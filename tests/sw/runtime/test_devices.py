from importlib.metadata import EntryPoint

import pytest

from tercel.config import PRESETS
from tercel.device import DeviceOptions
from tercel.device.emulator import EmulatorDevice
from tercel.errors import TercelError
from tercel.image import Image, random_image
from tercel.runtime import device_names, devices, open_device


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "tiny.tercel"
    random_image(path, PRESETS["tiny"])
    return Image.open(path)


def install(monkeypatch, **values):
    entries = [EntryPoint(name, value, devices.GROUP) for name, value in values.items()]
    monkeypatch.setattr(devices, "entry_points", lambda group: entries)


def test_the_emulator_is_installed(image):
    assert "emulator" in device_names()
    device = open_device("emulator", image, DeviceOptions(nodes=3, context=20))
    assert isinstance(device, EmulatorDevice)
    assert (device.limits.nodes, device.limits.context) == (3, 20)


def test_without_options_a_device_has_its_defaults(image):
    device = open_device("emulator", image)
    assert (device.limits.nodes, device.limits.context) == (8, image.config.context)


def test_options_of_another_device_are_a_defect(image):
    with pytest.raises(TypeError, match="'emulator' takes DeviceOptions, not 3"):
        open_device("emulator", image, 3)


@pytest.mark.parametrize(
    ("installed", "known"), [(("one", "other"), "one, other"), ((), "none is installed")]
)
def test_the_known_devices_are_listed(image, monkeypatch, installed, known):
    install(monkeypatch, **dict.fromkeys(installed, "absent_driver:Board"))
    assert device_names() == installed
    with pytest.raises(TercelError, match=rf"the known ones are: {known}$"):
        open_device("gpu", image)


def test_an_unknown_device_lists_the_known_ones(image):
    with pytest.raises(TercelError, match=r"no device 'gpu'; the known ones are: .*emulator"):
        open_device("gpu", image)


def test_a_device_of_a_missing_package_names_it(image, monkeypatch):
    install(monkeypatch, board="absent_driver.board:Board")
    with pytest.raises(TercelError, match="'board' needs absent_driver, which is not installed"):
        open_device("board", image)


def test_a_defect_of_our_own_is_not_hidden(image, monkeypatch):
    install(monkeypatch, board="tercel.absent:Board")
    with pytest.raises(ModuleNotFoundError):
        open_device("board", image)
