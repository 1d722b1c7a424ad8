import pytest

from tercel.doctor.software import Software, examine_software

KRIA = {"pynq": "3.0.1", "numpy": "1.26.4", "pycparser": "2.21"}
NEW = {"pynq": "4.0.0", "numpy": "1.26.4", "pycparser": "2.22"}


def levels(python, packages, machine="aarch64"):
    software = Software(python=python, packages=packages, machine=machine)
    return {finding.name: finding for finding in examine_software(software)}


@pytest.mark.parametrize(
    ("python", "packages"),
    [((3, 10), KRIA), ((3, 12), NEW), ((3, 10), KRIA | {"pynq": "3.1.2"}), ((3, 13), {})],
)
def test_supported_environments_are_ok(python, packages):
    assert {finding.level for finding in levels(python, packages).values()} == {"ok"}


@pytest.mark.parametrize(
    ("python", "changes", "name", "remedy"),
    [
        ((3, 13), {}, "python", "use Python 3.10 (pynq 3) or 3.12 (pynq 4)"),
        ((3, 12), {"numpy": "2.1.0"}, "numpy", "pip install 'numpy<2'"),
        ((3, 12), {"pycparser": "3.0"}, "pycparser", "pip install 'pycparser<3'"),
        ((3, 10), {"pynq": "2.7.0"}, "pynq", "install a release in between"),
        ((3, 12), {"pynq": "5.0.0rc1"}, "pynq", "install a release in between"),
    ],
)
def test_what_breaks_pynq_is_named_with_its_remedy(python, changes, name, remedy):
    finding = levels(python, NEW | changes)[name]
    assert finding.level in ("failure", "warning")
    assert remedy in finding.remedy


def test_pynq_4_knows_no_zynq_7000():
    assert levels((3, 12), NEW, machine="armv7l")["board"].level == "failure"
    assert "board" not in levels((3, 10), KRIA, machine="armv7l")


def test_this_process_has_a_numpy():
    found = Software.installed()
    assert found.release("numpy") >= (1, 24)
    assert found.release("missing") is None
