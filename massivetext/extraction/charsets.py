"""The encodings of the web: their labels, and text from their bytes, by the WHATWG Encoding Standard.

Python's codecs are used where they agree with the standard's tables; what they lack is added here: C1 controls in the
Windows pages, NEC's row 13 in EUC-JP and ISO-2022-JP, GBK's euro sign, the letters that KOI8-U gained.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

__all__ = ["decode", "python_name"]

# Python's codec for each encoding, and the labels of the encoding besides the codec's own line.
_LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    "iso8859-5": ("csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988"),
    "iso8859-6": (
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i "
        "iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"
    ),
    "iso8859-7": (
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7 "
        "iso_8859-7:1987 sun_eu_greek"
    ),
    "iso8859-8": (
        "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 "
        "iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical"
    ),
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": (
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 "
        "iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252"
    ),
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": (
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 "
        "windows-1254 x-cp1254"
    ),
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": (
        "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"
    ),
    # The standard gives no text for these; Python has codecs for them.
    "hz": "hz-gb-2312",
    "iso2022_kr": "csiso2022kr iso-2022-kr",
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    "x-user-defined": "x-user-defined",
}
_NAMES = {label: name for name, labels in _LABELS.items() for label in labels.split()}
_SINGLE = frozenset(
    name for name in _LABELS if name.startswith(("iso8859", "cp125", "koi8", "mac-")) or name in ("cp866", "cp874")
)
MULTI_BYTE = frozenset(("gb18030", "big5hkscs", "euc_jp", "cp932", "cp949"))

_KOI8_U = {0xAE: "\u045e", 0xBE: "\u040e"}
# EUC-JP: the standard's index has these characters where Python's codec has others.
_JIS = {
    0x301C: 0xFF5E, 0x2016: 0x2225, 0x2212: 0xFF0D, 0xA2: 0xFFE0, 0xA3: 0xFFE1, 0xAC: 0xFFE2, 0xA5: 0x5C,
    0x203E: 0x7E,
}  # fmt: skip
# Big5 and GB18030, likewise; GB18030 of 2022 has characters for what was private use.
_BIG5 = {
    0x2022: 0x2027, 0xFF64: 0xFE51, 0x203E: 0xAF, 0x223C: 0xFF5E, 0x2641: 0x2295, 0x2609: 0x2299, 0xA5: 0xFFE5,
    0xA2: 0xFFE0, 0xA3: 0xFFE1,
}  # fmt: skip
_GB18030 = {
    0xE5E5: 0x3000, 0xE78D: 0xFE10, 0xE78E: 0xFE12, 0xE78F: 0xFE11, 0xE790: 0xFE13, 0xE791: 0xFE14, 0xE792: 0xFE15,
    0xE793: 0xFE16, 0xE794: 0xFE17, 0xE795: 0xFE18, 0xE796: 0xFE19, 0xE7C7: 0x1E3F, 0xE81E: 0x9FB4, 0xE826: 0x9FB5,
    0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE832: 0x9FB8, 0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE864: 0x9FBB,
}  # fmt: skip
_PRIVATE = re.compile("[\ue5e5\ue78d-\ue864]")
_ESCAPE = re.compile(rb"\x1b(\([BJI]|\$[@B])")


def python_name(label: str) -> str | None:
    """Return Python's name of the codec for a label of the Encoding Standard, None for an unknown label."""
    return _NAMES.get(label.strip("\t\n\f\r ").lower())


def decode(data: bytes, name: str) -> str:
    """Return the text of bytes in an encoding by its name here; bytes that mean nothing become U+FFFD."""
    if name in _SINGLE:
        return codecs.charmap_decode(data, "replace", _table(name))[0]
    if name == "x-user-defined":
        return codecs.charmap_decode(data, "strict", _ASCII_TABLE + "".join(map(chr, range(0xF780, 0xF800))))[0]
    if name == "gb18030":
        text = data.decode(name, "massivetext.gbk")
        return text.translate(_GB18030) if _PRIVATE.search(text) else text
    if name == "big5hkscs":
        return data.decode(name, "massivetext.big5").translate(_BIG5)
    if name == "euc_jp":
        return data.decode(name, "massivetext.eucjp").translate(_JIS)
    if name == "iso2022_jp":
        return _decode_iso2022_jp(data)
    return data.decode(name, "replace")


_ASCII_TABLE = "".join(map(chr, range(128)))


@lru_cache(maxsize=64)
def _table(name: str) -> str:
    """The 256 characters of a single-byte encoding; U+FFFE stands for none. Bytes from 0x80 to 0x9F without a character
    are C1 controls."""
    table = [bytes([byte]).decode(name, "replace") for byte in range(256)]
    for byte in range(128, 256):
        if table[byte] == "\ufffd":
            table[byte] = chr(byte) if byte < 0xA0 else "\ufffe"
    if name == "koi8-u":
        for byte, character in _KOI8_U.items():
            table[byte] = character
    return "".join(table)


def _gbk_error(error: UnicodeError) -> tuple[str, int]:
    """A lone 0x80 is the euro sign."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.object[error.start] == 0x80:
        return "\u20ac", error.start + 1
    return "\ufffd", max(error.start + 1, error.end)


def _euc_jp_error(error: UnicodeError) -> tuple[str, int]:
    """Two bytes of a row that JIS X 0208 does not have may be in NEC's or IBM's rows: they are the same in
    Shift_JIS."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = error.object[error.start : error.start + 2]
    if len(pair) == 2 and 0xA1 <= pair[0] <= 0xFE and 0xA1 <= pair[1] <= 0xFE:
        row, cell = pair[0] - 0xA1, pair[1] - 0xA1
        lead = (0x81 if row < 62 else 0xC1) + row // 2
        trail = cell + 0x9F if row % 2 else cell + 0x40 + (cell > 62)
        text = bytes((lead, trail)).decode("cp932", "replace")
        if len(text) == 1:
            return text, error.start + 2
    if len(pair) == 2 and pair[1] >= 0x80 and pair[0] >= 0x80:
        return "\ufffd", error.start + 2
    return "\ufffd", error.start + 1


def _big5_error(error: UnicodeError) -> tuple[str, int]:
    """A character that Microsoft's Big5 has; else, a second byte that is ASCII stands for itself."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = error.object[error.start : error.start + 2]
    text = pair.decode("cp950", "replace")
    if len(pair) == 2 and len(text) == 1 and text != "\ufffd":
        return text, error.start + 2
    return "\ufffd", error.start + (2 if len(pair) == 2 and pair[1] >= 0x80 else 1)


codecs.register_error("massivetext.gbk", _gbk_error)
codecs.register_error("massivetext.big5", _big5_error)
codecs.register_error("massivetext.eucjp", _euc_jp_error)


def _decode_iso2022_jp(data: bytes) -> str:
    pieces = _ESCAPE.split(data)
    text = [pieces[0].decode("ascii", "replace")]
    for escape, content in zip(pieces[1::2], pieces[2::2]):
        if escape[:1] == b"$":
            # The same characters as in EUC-JP, without the high bits; controls stand for themselves.
            text.append(decode(bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in content), "euc_jp"))
        elif escape == b"(I":
            half_width = bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in content)
            text.append(half_width.decode("cp932", "replace"))
        else:
            text.append(content.decode("ascii", "replace"))
    return "".join(text)
