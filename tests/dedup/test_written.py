"""Near-duplicates in scripts without spaces, and with invisible characters: every one of a kind is found."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from massivetext.dedup import near_duplicates, shingles
from massivetext.dedup.banding import plan
from massivetext.dedup.evidence import evidence_schema
from massivetext.dedup.index import read_index, write_index
from massivetext.errors import OutputError

SCRIPTS = {
    "Chinese": (0x4E00, 0x9000),
    "Hiragana": (0x3041, 0x3096),
    "Katakana": (0x30A1, 0x30FA),
    "half-width Katakana": (0xFF66, 0xFF9D),
    "Bopomofo": (0x3105, 0x312F),
    "Thai": (0x0E01, 0x0E2E),
    "Lao": (0x0EA7, 0x0EB0),
    "Khmer": (0x1780, 0x17B3),
    "Burmese": (0x1000, 0x1020),
    "Tibetan": (0x0F40, 0x0F47),
    "Tai Tham": (0x1A20, 0x1A54),
    "New Tai Lue": (0x1980, 0x19AB),
    "Yi": (0xA000, 0xA48C),
}
SENTENCE = [f"paragraph{i} elementary{i}" for i in range(30)]


def kept(texts: list[str]) -> int:
    table = near_duplicates(pa.array(texts), [str(i) for i in range(len(texts))])
    return sum(table["kept"].to_pylist())


@pytest.mark.parametrize("script", SCRIPTS)
def test_one_character_of_1200_changed(script: str) -> None:
    chance = random.Random(script)
    first, last = SCRIPTS[script]
    page = [chr(chance.randint(first, last)) for _ in range(1200)]
    changed = [*page[:600], chr(first if page[600] != chr(first) else last), *page[601:]]
    other = chance.sample(page, len(page))

    assert 2 == kept(["".join(page), "".join(changed), "".join(other)])


def test_jaccard_of_a_changed_character() -> None:
    chance = random.Random(0)
    page = [chr(point) for point in chance.sample(range(0x4E00, 0x9FA5), 213)]
    changed = [*page[:100], "A", *page[101:]]
    table = near_duplicates(pa.array(["".join(page), "".join(changed)]), ["a", "b"])

    # 201 shingles each, 13 of them changed.
    assert [188 / 214] == [j for j in table["jaccard"].to_pylist() if j is not None]


@pytest.mark.parametrize(
    "invisible",
    ["\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u061c", "\u202a", "\u2066"],
)
def test_invisible_characters_hide_no_copy(invisible: str) -> None:
    hidden = [word[:4] + invisible + word[4:] for word in SENTENCE]

    assert 1 == kept([" ".join(SENTENCE), " ".join(hidden), invisible + " ".join(SENTENCE)])


def test_spaces_between_characters_make_no_difference() -> None:
    text = "自然言語処理の研究は計算機科学の一分野です。" * 3

    assert shingles(pa.array([text])).to_pylist() == shingles(pa.array([" ".join(text)])).to_pylist()


def test_results_carry_the_version_of_the_hashes() -> None:
    table = near_duplicates(pa.array(["a b", "c d"]), ["1", "2"])

    assert b"2" == table.schema.metadata[b"massivetext.hash_version"]
    assert evidence_schema(plan(0.8, 0.99)).metadata[b"massivetext.banding"].endswith(b", hashes 2")


@pytest.mark.parametrize("version", [None, 1, 3])
def test_an_index_of_other_hashes_is_refused(tmp_path: Path, version: int | None) -> None:
    (tmp_path / "index").mkdir()
    manifest = {"format": "massivetext-index-1", "documents": {}, "files": []}
    if version is not None:
        manifest["hash_version"] = version
    (tmp_path / "index" / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(OutputError, match=f"version {version or 1} of the hashes.*`massivetext index {tmp_path}`"):
        read_index(str(tmp_path), ["massiveweb"])


def test_an_index_of_these_hashes_is_read(tmp_path: Path) -> None:
    write_index(str(tmp_path), [])

    assert [] == read_index(str(tmp_path), ["massiveweb"])
