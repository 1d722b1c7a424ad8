"""Writing of several files so that none is ever seen half written."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tercel.files import make_folder, whole_file, write_errors

__all__ = ["write_files"]


def write_files(folder: Path, contents: Mapping[str, str], *, inputs: Iterable[Path] = ()) -> None:
    """Write files of ASCII text: all beside their places first, then each is moved there.

    A name may begin with folders, which are made.

    A file that has these contents already is left alone.

    Parameters
    ----------
    inputs
        Files that the contents are read from; none of them may be replaced.

    Raises
    ------
    TercelError
        If the folder cannot be made or written, or one of the files is an input; then no file has
        changed.
    """
    for place in {(folder / name).parent for name in contents}:
        make_folder(place)
    inputs = tuple(inputs)
    with ExitStack() as stack:
        for name, text in contents.items():
            path, content = folder / name, text.encode("ascii")
            with write_errors(path):
                same = path.is_file() and path.read_bytes() == content
            if not same:
                file = stack.enter_context(whole_file(path, inputs=inputs))
                file.write(content)
                file.flush()
