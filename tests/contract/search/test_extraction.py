import os

import pytest

from runstead.domain.errors import ExtractionFailed
from runstead.search import extraction, extraction_child
from runstead.search.extraction import ChildExtractor
from tests.contract.search.files import (
    SENTENCE,
    archive,
    bomb,
    compound,
    docx,
    encrypted_pdf,
    lying_bomb,
    pdf,
    png,
    pptx,
    with_part,
    xlsx,
)

READABLE = {
    "a.pdf": (pdf(SENTENCE, "Second page"), [SENTENCE, "Second page"]),
    "a.docx": (docx(SENTENCE), [SENTENCE, "left\tright"]),
    "a.pptx": (pptx(SENTENCE, "Only said aloud"), [SENTENCE, "Only said aloud"]),
    "a.xlsx": (
        xlsx({"A1": "Mary Rose", "B1": 1545}),
        ["Ships\nMary Rose\t1545"],
    ),
    "a.html": (
        f"<title>Log</title><style>p {{}}</style><p>{SENTENCE}</p><script>alert('no')</script>".encode(),
        ["Log", SENTENCE],
    ),
    "a.md": (f"# Ships\n\n{SENTENCE}".encode(), ["# Ships", SENTENCE]),
    "a.json": (b'{"ship": "Mary Rose"}', ['{"ship": "Mary Rose"}']),
    "a.csv": (b"ship,year\nMary Rose,1545\n", ["Mary Rose,1545"]),
    "a.py": (b"def sail():\n    return 1\n", ["    return 1"]),
    "utf8-mark.txt": (b"\xef\xbb\xbf" + SENTENCE.encode(), [SENTENCE]),
    "utf16-mark.txt": (SENTENCE.encode("utf-16"), [SENTENCE]),
    "utf16.txt": (SENTENCE.encode("utf-16-be"), [SENTENCE]),
    "japanese.txt": ("灯台守は船を数える。".encode(), ["灯台守は船を数える。"]),
    # What a file holds counts for more than its name.
    "a pdf.txt": (pdf(SENTENCE), [SENTENCE]),
    "words.pdf": (SENTENCE.encode(), [SENTENCE]),
    "page.txt": (f"<!DOCTYPE html><p>{SENTENCE}</p>".encode(), [SENTENCE]),
    "sheet.docx": (
        xlsx({"A1": "Mary Rose"}),
        ["Ships\nMary Rose"],
    ),
    # No name is too odd to be passed on.
    "\ud800 -c –name\n.txt": (SENTENCE.encode(), [SENTENCE]),
    "nothing.txt": (b"a\0b" + b" c" * 50, ["a\ufffdb"]),
    "deep.html": (b"<div>" * 20_000 + SENTENCE.encode(), [SENTENCE]),
    "deep.json": (b"[" * 1_000_000, ["[[["]),
}

# Each stands for ten of the one before it.
ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10)).replace("&a0;", "&a;")
    + ']><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    "<w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
)
DEEP = b"<a>" * 1_000_000

UNREADABLE = {
    "empty.txt": (b"", "invalid_file", "it is empty"),
    "blank.txt": (b" \n\t \n", "invalid_file", "no text"),
    "scanned.pdf": (pdf("", ""), "invalid_file", "OCR"),
    "encrypted.pdf": (encrypted_pdf(), "invalid_file", "encrypted"),
    "cut.pdf": (pdf(SENTENCE)[:60], "invalid_file", "damaged"),
    "noise.pdf": (b"%PDF-1.7\n" + bytes(range(256)) * 40, "invalid_file", "damaged"),
    "cut.docx": (docx(SENTENCE)[:-400], "invalid_file", "damaged"),
    "bomb.docx": (bomb(400), "invalid_file", "400 MiB"),
    "ratio.docx": (bomb(90), "invalid_file", "times its size"),
    "lying.docx": (lying_bomb(90), "invalid_file", "damaged"),
    "entities.docx": (with_part(docx("x"), "word/document.xml", ENTITIES.encode()), "invalid_file", "damaged"),
    "deep.docx": (with_part(docx("x"), "word/document.xml", DEEP), "invalid_file", ""),
    "hollow.docx": (archive({"word/document.xml": "<a/>"}), "invalid_file", "damaged"),
    "encrypted.docx": (compound("EncryptedPackage"), "invalid_file", "encrypted"),
    "old.doc": (compound("WordDocument"), "unsupported_file", "save it as docx"),
    "old.ppt": (compound("PowerPoint Document"), "unsupported_file", "save it as pptx"),
    "broken.xls": (compound("Workbook"), "invalid_file", "damaged"),
    "far.xlsx": (xlsx({"A1": "near", "XFD1048576": "far"}), "invalid_file", "memory"),
    "latin.txt": ("Müller".encode("latin-1") * 10, "invalid_file", "UTF-8"),
    "half.txt": (b"\xff\xfe\x00\xd8", "invalid_file", "UTF-16"),
    "picture.txt": (png(), "unsupported_file", "picture"),
    "archive.txt": (archive({"a.txt": SENTENCE}), "unsupported_file", "archive"),
    "binary.txt": (bytes(range(32)) * 100, "unsupported_file", "binary"),
    "long.txt": (b"word " * (6 * 2**20), "invalid_file", "too large"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.mark.parametrize("name", READABLE)
async def test_a_file_gives_its_text(folder, name):
    content, expected = READABLE[name]
    path = folder / "readable"
    path.write_bytes(content)

    text = await ChildExtractor().extract(path, name)

    for part in expected:
        assert part in text
    assert "\0" not in text
    assert "alert" not in text


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_hostile_file_fails_with_the_reason(folder, name):
    content, code, reason = UNREADABLE[name]
    path = folder / "unreadable"
    path.write_bytes(content)

    with pytest.raises(ExtractionFailed) as failure:
        await ChildExtractor().extract(path, name)

    assert failure.value.code == code
    assert reason in failure.value.message
    assert failure.value.message.endswith(".")


async def test_a_file_that_is_gone_is_the_servers_trouble(folder):
    with pytest.raises(ExtractionFailed) as failure:
        await ChildExtractor().extract(folder / "nowhere", "a.txt")

    assert failure.value.code == "server_error"


async def test_time_is_limited_and_the_child_goes(folder, monkeypatch):
    path = folder / "fifo"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR)
    children: list[int] = []
    start = ChildExtractor._start

    async def watched(self, path, filename):
        process = await start(self, path, filename)
        children.append(process.pid)
        return process

    monkeypatch.setattr(ChildExtractor, "_start", watched)
    try:
        # Nothing ever comes out of it.
        with pytest.raises(ExtractionFailed, match="too long"):
            await ChildExtractor(wall_limit=0.5).extract(path, "a.txt")
    finally:
        os.close(held)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


def test_a_parsers_end_is_told_apart():
    for code, reason in ((-24, extraction.TOO_SLOW), (-11, extraction.CRASHED), (1, extraction.CRASHED)):
        with pytest.raises(ExtractionFailed) as failure:
            extraction._judge(b"", code, "", "a.pdf")
        assert failure.value.message == reason


def test_memory_is_limited(monkeypatch, folder):
    def greedy(_file, _filename):
        raise MemoryError

    monkeypatch.setattr(extraction_child, "parser_of", greedy)

    with (folder / "any").open("wb+") as file:
        assert extraction_child.NO_MEMORY.encode() in extraction_child.answer(file, "a.pdf")
