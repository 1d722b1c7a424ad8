import pytest
from build_records import write_record


@pytest.fixture
def written(tmp_path):
    """Writes a record with changes; returns its path."""

    def write(name="a_build.json", **changes):
        return write_record(tmp_path / name, **changes)

    return write


@pytest.fixture
def vivado(monkeypatch, tmp_path):
    """Puts a program of that name on the path, which says its release and then runs a script."""

    def install(said, script="exit 0"):
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        program = folder / "vivado"
        program.write_text(
            f'#!/bin/sh\nif [ "$1" = -version ]; then cat <<END\n{said}\nEND\nexit; fi\n{script}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return program

    return install
