"""Which character encoding a book, a line or a file of code is in, and its text.

The order: a byte order mark; what the recipe says; UTF-16 by its zeros; UTF-8 if the bytes are valid UTF-8 (hardly any
other text is); what the text declares of itself; UTF-8 with a few slips; the bytes. Detection looks at a sample and
nothing else, so one input has one answer. Where no encoding makes text of the bytes they stay UTF-8, and U+FFFD marks
what is lost.

For pages see `massivetext.extraction.encoding`, which follows browsers.
"""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Iterable, Iterator

from massivetext.text import clean, decode

__all__ = [
    "CONTROLS",
    "bom",
    "codec",
    "converted",
    "declared",
    "decode_any",
    "detect",
    "is_binary",
    "is_converted",
    "of_file",
    "of_option",
    "of_other",
    "unmarked_utf16",
]

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_SAMPLE = 1 << 14
_HEAD = 4096
# By the WHATWG Encoding Standard: what these labels mean in practice are supersets, under other names in Python.
_SUPERSETS = {
    **dict.fromkeys(("ascii", "us-ascii", "iso8859-1", "latin-1", "ansi", "windows-ansi", "iso-latin-1"), "cp1252"),
    **{"gb2312": "gb18030", "gbk": "gb18030", "hz": "hz", "shift_jis": "cp932", "euc_kr": "cp949"},
    **{"big5": "big5hkscs", "iso8859-9": "cp1254", "tis-620": "cp874", "iso8859-11": "cp874"},
    **{"x-sjis": "cp932", "windows-31j": "cp932", "ms932": "cp932", "sjis-win": "cp932", "x-euc-jp": "euc_jp"},
    **{"macintosh": "mac_roman", "x-mac-roman": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "x-gbk": "gb18030"},
    **{"iso8859-8": "cp1255", "koi8": "koi8-r", "unicode": "utf-8", "utf8mb4": "utf-8", "utf-8-unix": "utf-8"},
}
_NO_TEXT = frozenset(("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"))
"""Codecs that Python calls encodings of text, and in which no file is written."""
_NEVER = _NO_TEXT | {"utf-7"}
"""Codecs that no declaration in a file is believed to mean."""

_DECLARATIONS = (
    # Emacs, PEP 263, Ruby, Perl's `use encoding`: the first two lines.
    (re.compile(rb"(?:[^\n]*\n)?[^\n]{0,200}?(?:coding|encoding)[:=]?[ \t]*[\"']?([A-Za-z][\w.:-]{1,30})"), None),
    (re.compile(rb"\s{0,40}<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.:-]{2,40})[\"']"), None),
    (re.compile(rb"@charset\s+[\"']([\w.:-]{2,40})[\"']", re.IGNORECASE), None),
    (re.compile(rb"[^\0]{0,4000}?<meta[\s/][^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE), None),
)
_VIM = re.compile(rb"\b(?:vim?|ex):[^\n]{0,200}?\b(?:fileencoding|fenc|encoding|enc)=([\w.:-]{2,40})")
_EMACS_TAIL = re.compile(rb"Local Variables:[^\0]{0,2000}?\bcoding:[ \t]*([\w.:-]{2,40})", re.IGNORECASE)
_GUTENBERG = re.compile(
    rb"^Character set encoding:[ \t]*(?:Unicode[ \t]+)?(?:ISO[ -]?Latin-?1\b()|(?:windows )?code ?page[ \t]*(\d{3,4})"
    rb"|([A-Za-z][\w.:-]*(?: 8859-\d+)?))",
    re.IGNORECASE | re.MULTILINE,
)
CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b\x08\x1a"))
_ASCII = bytes(range(128))
_HIGH = re.compile(rb"[\x80-\xff]+")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_ASCII_BYTE = re.compile(rb"[\x00-\x7f]")
_PIECE = 4000


def bom(head: bytes) -> tuple[bytes, str]:
    """The byte order mark that bytes start with and the encoding it stands for; (b"", "utf-8") if there is none."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


@functools.lru_cache(maxsize=256)
def codec(label: str) -> str | None:
    """Python's name of the encoding that a label means, or None for a label that no text is in."""
    name = label.strip().strip("\"'").lower().replace(" ", "-")
    name = re.sub(r"-(?:unix|dos|mac)\Z", "", name)  # Emacs writes line ends into the name
    try:
        known = codecs.lookup(_SUPERSETS.get(name, name))
    except (LookupError, ValueError):
        return None
    known_name = _SUPERSETS.get(known.name, known.name)
    return known_name if getattr(known, "_is_text_encoding", True) and known_name not in _NEVER else None


@functools.lru_cache(maxsize=256)
def of_option(label: str) -> str | None:
    """Return Python's name of the encoding that a recipe names, or None if no text can be in it.

    Python's own names mean what they mean in Python: `latin-1` is not its superset cp1252, which `codec` returns.
    """
    try:
        known = codecs.lookup(label)
    except (LookupError, ValueError):
        return codec(label)
    return known.name if getattr(known, "_is_text_encoding", True) and known.name not in _NO_TEXT else None


def of_file(head: bytes, named: str | None = None) -> str | None:
    """Return the encoding of a file that its beginning or the recipe settles.

    Args:
        head: the first bytes of the file; 4,096, if there are so many.
        named: the encoding that the recipe names, as `of_option` returns it.

    Returns:
        The encoding of the byte order mark, else the one named, else UTF-16 by its zeros; None if there is none of
        them. UTF-16 and UTF-32 always with their byte order: without a mark Python would take the machine's.
    """
    mark, marked = bom(head)
    if mark:
        return marked
    if named == "utf-16":
        return unmarked_utf16(head) or "utf-16-le"
    if named == "utf-32":
        return "utf-32-be" if head.startswith(b"\0\0") else "utf-32-le"
    return named or (unmarked_utf16(head) if b"\0" in head[:_HEAD] else None)


@functools.lru_cache(maxsize=256)
def is_converted(encoding: str | None) -> bool:
    """Return whether a file in this encoding is made UTF-8 before its lines are looked for, because the byte 10 is no
    line end in it: UTF-16, UTF-32 and EBCDIC."""
    return encoding is not None and b"\n".decode(encoding, "replace") != "\n"


def converted(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield text in an encoding as UTF-8, without its byte order mark. What cannot be read becomes the byte 255, which
    whoever decodes the UTF-8 replaces by U+FFFD, and counts."""
    decoder = codecs.getincrementaldecoder(encoding)("massivetext.unreadable")
    for number, data in enumerate(pieces):
        text = decoder.decode(data[len(bom(data)[0]) :] if number == 0 else data)
        yield text.encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")


codecs.register_error("massivetext.unreadable", lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


def declared(data: bytes) -> str | None:
    """The encoding that a file names in a place that is read as such: PEP 263 and editors' coding lines, XML, CSS and
    HTML declarations, Project Gutenberg's header; None if none is named that is known."""
    head, tail = data[:_HEAD], data[-_HEAD:]
    labels = [match[1] for pattern, _ in _DECLARATIONS if (match := pattern.match(head))]
    labels += [match[1] for pattern in (_VIM, _EMACS_TAIL) for match in pattern.finditer(head + b"\n" + tail)]
    if gutenberg := _GUTENBERG.search(data[:40_000]):
        word = gutenberg[3] or (b"cp" + gutenberg[2] if gutenberg[2] else b"latin-1")
        labels.append(re.sub(rb"(?i)\Aiso[ -]8859", b"iso8859", word))
    for label in labels:
        if known := codec(label.decode("ascii", "replace")):
            return known
    return None


def decode_any(data: bytes, encoding: str | None = None) -> tuple[str, int]:
    """The cleaned text of bytes in any encoding, and how many U+FFFD stand for bytes that could not be read.

    encoding: the one that the recipe names, which is believed; a byte order mark goes before it.
    """
    if settled := of_file(data, encoding):
        return decode(data[len(bom(data)[0]) :], settled)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return decode(data, of_other(data))
    if b"\x1b$" in data or b"\x1b(" in data:
        return _stateful(data, text)
    return clean(text), 0


def _stateful(data: bytes, text: str) -> tuple[str, int]:
    """Text of bytes that are all ASCII and have the escapes of ISO 2022 in them."""
    for name in ("iso2022_jp", "iso2022_jp_2", "iso2022_kr"):
        try:
            return clean(data.decode(name)), 0
        except (UnicodeDecodeError, LookupError):
            pass
    return clean(text), 0


def of_other(data: bytes) -> str:
    """The encoding of bytes that are not valid UTF-8."""
    name = declared(data)
    if name and not name.startswith("utf") and _fits(data, name):
        return name
    return "utf-8" if _is_nearly_utf8(data) else detect(data)


def _fits(data: bytes, name: str) -> bool:
    """Whether at most one in 50 of the characters that are not ASCII cannot be read in an encoding."""
    try:
        data.decode(name)
    except UnicodeDecodeError:
        text = data.translate(None, _ASCII).decode(name, "replace")
        return text.count("\ufffd") * 50 <= len(text)
    return True


def _is_nearly_utf8(data: bytes) -> bool:
    """Whether there are two valid sequences of UTF-8 for each that is none: other encodings hardly make any."""
    text = data.translate(None, _ASCII).decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    return bad * 2 <= len(text) - bad


def unmarked_utf16(data: bytes) -> str | None:
    """The UTF-16 of mostly Latin text without a mark: it has a zero in every second byte. None if it is not that."""
    head = data[: _HEAD - _HEAD % 2]
    if len(head) >= 8:
        for name, high, low in (("utf-16-le", head[1::2], head[0::2]), ("utf-16-be", head[0::2], head[1::2])):
            if high.count(0) > 0.4 * len(high) and low.count(0) <= 0.02 * len(low):
                return name
    return None


def is_binary(data: bytes) -> bool:
    """Whether bytes cannot be text: a NUL, or many control characters that no text has, among the first 8,192; text in
    UTF-16 and UTF-32 is none of it."""
    head = data[:8192]
    if bom(head)[0] or unmarked_utf16(head):
        return False
    return b"\0" in head or len(head) - len(head.translate(None, CONTROLS)) > max(2, len(head) // 50)


# -- detection ---------------------------------------------------------------------------------------------------------


def detect(data: bytes) -> str:
    """The most likely encoding of bytes that are not UTF-8: East Asian by its pairs of bytes, Latin scripts by letters
    that stand where letters do, others as resiliparse detects them; "utf-8" if none of them is likely."""
    sample = _sample(data)
    runs = _HIGH.findall(sample)
    n_high = sum(map(len, runs))
    if not n_high:
        return "utf-8"
    if east := _east_asian(sample):
        return east
    n_letters = sum(chr(byte).isalpha() for byte in sample if byte < 128)
    if n_high <= 0.5 * n_letters:
        return _latin(sample)
    from resiliparse.parse.encoding import detect_encoding

    name = codec(detect_encoding(sample, max_len=_SAMPLE) or "")
    if name and name not in _OF_LATIN and not name.startswith("utf") and _fits(sample, name):
        return name
    return _latin(sample)


def _sample(data: bytes) -> bytes:
    """Of a long text the lines that are not ASCII, as far as 16 KiB go. A piece begins after an ASCII character, where
    no pair of bytes is cut."""
    if len(data) <= _SAMPLE:
        return data
    pieces, size, at = [], 0, 0
    while size < _SAMPLE and (high := _HIGH_BYTE.search(data, at)):
        begin = max(at, data.rfind(b"\n", max(0, high.start() - 200), high.start()) + 1, high.start() - 200)
        end = data.find(b"\n", high.start(), high.start() + _PIECE) + 1 or high.start() + _PIECE
        pieces.append(data[begin:end])
        size += len(pieces[-1])
        boundary = _ASCII_BYTE.search(data, end)
        if boundary is None:
            break
        at = end if data[end - 1 : end] == b"\n" else boundary.end()
    return b"".join(pieces)


def _pairs(data: bytes, leads: range, others: range, trails: range, low: range) -> list[tuple[int, int]] | None:
    """The double bytes of a text, or None if a high byte is neither part of one nor in `others` (single bytes)."""
    pairs, at, bad = [], 0, 0
    while at < len(data):
        byte = data[at]
        if byte < 0x80:
            at += 1
            continue
        following = data[at + 1] if at + 1 < len(data) else 0
        if byte in leads and (following in trails or following in low):
            pairs.append((byte, following))
            at += 2
        elif byte in others:
            pairs.append((byte, 0))
            at += 1
        else:
            bad += at + 1 < len(data)  # a pair that the sample cuts is no fault
            at += 1
    return pairs if bad * 50 <= len(pairs) else None


def _east_asian(sample: bytes) -> str | None:
    """The double-byte encoding whose common characters the text is made of, or None."""
    characters = _shift_jis(sample)
    if characters and _is_japanese(characters, sample):
        return "cp932"
    high, low = range(0xA1, 0xFF), range(0x40, 0x7F)
    if not _is_not_latin(sample, sum(map(len, _HIGH.findall(sample))) // 2):
        return None
    if euc := _pairs(sample, high, range(0x8E, 0x90), high, range(0)):
        n = len(euc)
        kana = sum(lead in (0xA4, 0xA5) for lead, _ in euc)
        common = sum(0xB0 <= lead <= 0xD7 for lead, _ in euc)
        hangul = sum(0xB0 <= lead <= 0xC8 for lead, _ in euc)
        marks = sum(lead in (0xA1, 0xA2, 0xA3) for lead, _ in euc)
        if kana * 10 >= n and (kana + common + marks) * 10 >= 9 * n and n > 2:
            return "euc_jp"
        if (common + marks) * 10 >= 8 * n:
            # Hangul ends where Chinese characters, spread evenly, have a third of theirs yet to come.
            is_korean = hangul == common and common >= 4
            return "cp949" if is_korean or (common >= 12 and hangul * 100 >= 95 * common) else "gb18030"
    if big5 := _pairs(sample, range(0x81, 0xFF), range(0), high, low):
        n = len(big5)
        usual = sum(0xA1 <= lead <= 0xC6 for lead, _ in big5)
        if usual * 10 >= 8 * n and sum(trail < 0x80 for _, trail in big5) * 10 >= n and n >= 3:
            return "big5hkscs"
    if gbk := _pairs(sample, range(0x81, 0xFF), range(0), range(0x80, 0xFF), low):
        n = len(gbk)
        usual = sum((0xB0 <= lead <= 0xD7 and trail >= 0xA1) or lead in (0xA1, 0xA3) for lead, trail in gbk)
        if usual * 10 >= 7 * n and n >= 3:
            return "gb18030"
    return None


def _is_japanese(characters: list[tuple[int, int]], sample: bytes) -> bool:
    """Whether characters of Shift JIS are kana and common kanji for the most part."""
    n = len(characters)
    kana = sum(
        (lead == 0x82 and 0x9F <= trail <= 0xF1) or (lead == 0x83 and 0x40 <= trail <= 0x96)
        for lead, trail in characters
    )
    kanji = sum(0x88 <= lead <= 0x97 for lead, _ in characters)
    marks = sum(lead == 0x81 for lead, _ in characters)
    if (kana + kanji + marks) * 10 < 7 * n:
        return False
    return (kana >= 3 and kana * 10 >= n) or (kanji >= 4 and _is_not_latin(sample, n))


def _shift_jis(sample: bytes) -> list[tuple[int, int]] | None:
    """The characters of Shift JIS, half-width kana with a second byte of 0; None if it is something else."""
    characters, at, bad = [], 0, 0
    while at < len(sample):
        byte = sample[at]
        if byte < 0x80:
            at += 1
        elif 0xA1 <= byte <= 0xDF:
            characters.append((byte, 0))
            at += 1
        elif at + 1 < len(sample) and 0x40 <= sample[at + 1] <= 0xFC and sample[at + 1] != 0x7F and byte < 0xFD:
            characters.append((byte, sample[at + 1]))
            at += 2
        else:
            bad += at + 1 < len(sample)
            at += 1
    return characters if bad * 50 <= len(characters) else None


def _is_not_latin(sample: bytes, n_pairs: int) -> bool:
    """Whether high bytes stand together rather than one by one among ASCII letters."""
    alone = len(re.findall(rb"(?<=[A-Za-z])[\x80-\xff](?=[A-Za-z])|(?<=[A-Za-z])[\x80-\xff](?![\x80-\xff])", sample))
    return alone * 4 <= n_pairs


_WESTERN = "éèàçêîïôûùëüöäßñóíáúåøæãõâìòÉÀÇÊÈÔÖÄÜÑÓÍÁÚÅØÆœŒ"
_CENTRAL = "ąćęłńóśźżčďěňřšťůžýáíéúőűăşţâîđöüäëôçßĄĆĘŁŃÓŚŹŻČĎŘŠŤŽÝÁÍÉÚŐŰĂŞŢĐÖÜľĺŕ"
_TURKISH = "ğışçöüâîûİĞŞÇÖÜ"
_QUOTES = frozenset("“”‘’«»„‚–—…")
_SYMBOLS = frozenset("©®£§°·ºª€™•¡¿±²³µ½¼¾×†\u00a0\u00ad¢¥¶")
_LATIN = (
    ("cp1252", frozenset(_WESTERN), 0.0),
    ("cp1250", frozenset(_CENTRAL), 0.25),
    ("iso8859-2", frozenset(_CENTRAL), 0.3),
    ("cp1254", frozenset(_TURKISH), 0.2),
    ("mac_roman", frozenset(_WESTERN), 0.3),
    ("cp850", frozenset(_WESTERN), 0.35),
)
"""Encodings of Latin scripts, the letters that their languages use, and how much likelier than the first one each must
be: texts in the first are by far the most."""
_OF_LATIN = frozenset(
    (
        *(name for name, _, _ in _LATIN),
        "cp1257",
        "cp1258",
        "iso8859-3",
        "iso8859-4",
        "iso8859-10",
        "iso8859-15",
        "cp437",
    )
)


def _latin(sample: bytes) -> str:
    """The encoding of a Latin script in which most characters stand where such characters do."""
    best, best_score = "utf-8", 0.0
    for name, letters, handicap in _LATIN:
        text = sample.decode(name, "replace")
        scores = [_standing(text, found.start(), letters) for found in re.finditer(r"[^\x00-\x7f]", text)]
        score = sum(scores) / max(1, len(scores)) - handicap
        if handicap and 1.0 not in scores:
            continue
        if score > best_score:
            best, best_score = name, score
    return best


def _standing(text: str, at: int, letters: frozenset[str]) -> float:
    """How well a character stands between its neighbours: 1 for a letter of the language in a word, a quotation mark at
    a word's edge, down to -2 for a sign within a word."""
    character = text[at]
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    in_word = before.isalpha() and after.isalpha()
    if character in letters:
        if character.isupper() and before.islower():
            return -1.0
        if not before.isalpha() and not after.isalpha():
            return 0.5 if character in "àâóéêÀÉÓúíыøæ" else -0.5
        return 1.0
    if character in _QUOTES:
        if character in "’‘–—…":
            return 1.0
        is_opening = character in "“«„‚"
        return -1.0 if in_word or (before if is_opening else after).isalpha() else 1.0
    if character in _SYMBOLS:
        return -2.0 if in_word or (character in "¡¿" and before.isalpha()) else 0.6
    if character.isalpha():
        return -0.5 if character.islower() or not before.islower() else -1.5
    return -2.0
