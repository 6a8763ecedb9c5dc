"""Which encoding the bytes of a page are in, if nothing that is declared fits them.

East Asian and Cyrillic encodings are told by how often the commonest characters of their languages come up; for the
rest resiliparse's detector (after Mozilla's) is asked.
"""

from __future__ import annotations

import re

from massivetext.extraction.charsets import decode, python_name

__all__ = ["detect"]

DETECTION_BYTES = 1 << 17
"""Detection reads this much, half from either end."""

_ESCAPED = re.compile(rb"\x1b\$[@B]|\x1b\([JI]")
_WIDE = re.compile(rb"[\x80-\xff][\x80-\xff@-~]{0,3}")
_KANA = frozenset(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30F7), 0x30FC, 0x3001, 0x3002]))
_KOREAN = frozenset(
    "이다는에의을가로고하지한은기도를서사리자인대어그나시스정일아제부과전해수상원보라있으들것게여구요만세안니습합장동성국"
    "주신오조화비용문경공소우마무교간유실적개영업단위발방모회선학치진관재분설연계내생중부체상심통전법명민"
)
_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法"
    "学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业"
    "外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法"
    "學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業"
    "外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲"
)
_EAST_ASIAN = (
    ("cp949", _KOREAN, 0.55),
    ("cp932", _KANA, 0.5),
    ("euc_jp", _KANA, 0.5),
    ("gb18030", _SIMPLIFIED, 0.4),
    ("big5hkscs", _TRADITIONAL, 0.4),
)
"""Codec, the commonest characters, and what share of a usual text they make."""
_ENOUGH = 0.4
"""A text with this much of the usual share is in the language."""
_MIN_CHARACTERS = 4

_CYRILLIC = ("cp1251", "koi8-r", "koi8-u", "mac-cyrillic", "cp866", "iso8859-5")
_NO_ANSWER = ("utf-8", "cp1252", "mac-roman")
"""What the detector answers, among others, to what it does not know."""
_COMMON_CYRILLIC = frozenset("оеаинтсрвлкмдпуяыьгзбі")
_CYRILLIC_WORD = re.compile("(?<![A-Za-z])[\u0400-\u045f\u0490\u0491]{2,}(?![A-Za-z])")
_PLAUSIBLE_WORD = re.compile("\\A(?:[А-ЯЁІЇЄҐЎ]?[а-яёіїєґў]+|[А-ЯЁІЇЄҐЎ]+)\\Z")


def detect(page: bytes) -> str:
    """Return the name (of charsets.py) of the likeliest encoding of the bytes, UTF-8 if none is likely."""
    half = DETECTION_BYTES // 2
    sample = page if len(page) <= DETECTION_BYTES else page[:half] + b" " + page[-half:]
    if sample.isascii():
        return "iso2022_jp" if _ESCAPED.search(sample) else "utf-8"
    if name := _east_asian(sample):
        return name
    from resiliparse.parse.encoding import detect_encoding  # few pages need it

    answer = python_name(detect_encoding(page, max_len=DETECTION_BYTES) or "utf-8") or "utf-8"
    if answer in _CYRILLIC or answer in _NO_ANSWER:
        return _cyrillic(sample) or answer
    return answer


def _east_asian(sample: bytes) -> str | None:
    runs = b" ".join(_WIDE.findall(sample))
    best, name = _ENOUGH, None
    for codec, common, usual in _EAST_ASIAN:
        text = decode(runs, codec)
        wide = [character for character in text if character >= "\u0100"]
        if len(wide) < _MIN_CHARACTERS:
            continue
        hits = sum(character in common for character in wide)
        # Each character that cannot be read weighs as much as ten that are common.
        score = (hits - 10 * text.count("\ufffd")) / (usual * len(wide))
        if score > best:
            best, name = score, codec
    return name


def _cyrillic(sample: bytes) -> str | None:
    best, name = 0.5, None
    for codec in _CYRILLIC:
        text = decode(sample, codec)
        wide = sum(character >= "\x80" for character in text)
        score = 0.0
        for word in _CYRILLIC_WORD.findall(text):
            if _PLAUSIBLE_WORD.match(word):
                score += 0.5 * len(word) + 0.5 * sum(letter in _COMMON_CYRILLIC for letter in word.lower())
        score /= max(1, wide)
        if score > best:
            best, name = score, codec
    return name
