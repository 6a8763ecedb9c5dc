"""The tags and attributes that the parser knows, by number and by hash.

Names are looked up in open-addressed hash tables by their 64-bit FNV-1a hash, from kernels. A tag that is not in TAGS
has the number 0: it makes no difference to blocks.
"""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["TAGS", "hash_table", "hash_word", "heading_level", "look_up", "tag_id"]

_BLOCK_TAGS = (
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "pre", "blockquote", "ul", "ol", "dl", "div"),
    *("td", "th", "tr", "table", "thead", "tbody", "tfoot", "caption", "section", "article", "main", "body", "html"),
    *("nav", "header", "footer", "aside", "form", "figure", "figcaption", "address", "center", "details", "summary"),
    *("fieldset", "legend", "noscript", "dialog", "menu", "hgroup", "hr", "listing", "dir", "search", "frameset"),
)
_RAW_TAGS = (
    *("script", "style", "textarea", "title", "iframe", "xmp", "noembed", "noframes", "svg", "math", "select"),
    *("template", "video", "audio", "datalist", "plaintext"),
)
_INLINE_TAGS = ("a", "button", "br", "b", "strong", "rt", "rp", "rtc", "rb", "ruby", "code", "img", "tex", "input")
_VOID_TAGS = ("input", "meta", "link", "wbr", "source", "area", "base", "col", "embed", "param", "track", "keygen")
"""Tags without content that are not in TAGS share the number of `input`."""
TAGS = ("", *_BLOCK_TAGS, *_RAW_TAGS, *_INLINE_TAGS)


def tag_id(name: str) -> int:
    """Return the number of a tag in `Tree.tag`, 0 for one that makes no difference."""
    return TAGS.index(name)


P, LI, DT, DD, PRE, DIV = map(tag_id, ("p", "li", "dt", "dd", "pre", "div"))
H1, H6, BLOCKQUOTE, UL, OL, DL, ADDRESS = map(tag_id, ("h1", "h6", "blockquote", "ul", "ol", "dl", "address"))
TD, TH, TR, TABLE, THEAD, TBODY, TFOOT, CAPTION = map(
    tag_id, ("td", "th", "tr", "table", "thead", "tbody", "tfoot", "caption")
)
SCRIPT, STYLE, SVG, MATH, SELECT, TEMPLATE, PLAINTEXT, XMP = map(
    tag_id, ("script", "style", "svg", "math", "select", "template", "plaintext", "xmp")
)
BODY, HTML, HR, TITLE, LISTING, MENU, DIR = map(tag_id, ("body", "html", "hr", "title", "listing", "menu", "dir"))
DETAILS, SUMMARY, DIALOG, NOSCRIPT, FIGURE, FIGCAPTION = map(
    tag_id, ("details", "summary", "dialog", "noscript", "figure", "figcaption")
)
A, BUTTON, BR, B, STRONG, RT, RP, RTC, RB, RUBY, CODE, IMG, TEX, VOID = map(tag_id, _INLINE_TAGS)
FIRST_RAW = 1 + len(_BLOCK_TAGS)
FIRST_INLINE = FIRST_RAW + len(_RAW_TAGS)
N_TAGS = len(TAGS)

_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MASK64 = (1 << 64) - 1
SLOTS = 2048


def hash_word(word: str) -> int:
    """Return the FNV-1a hash of a word's UTF-8 bytes."""
    value = _OFFSET
    for byte in word.encode():
        value = ((value ^ byte) * _PRIME) & _MASK64
    return value


def hash_table(values: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return an open-addressed hash table as (keys: uint64[SLOTS], values: int64[SLOTS])."""
    keys, numbers = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int64)
    for word, value in values.items():
        key = hash_word(word)
        slot = (key ^ key >> 32) % SLOTS
        while keys[slot]:
            if int(keys[slot]) == key:
                break
            slot = (slot + 1) % SLOTS
        keys[slot] = key
        numbers[slot] |= value
    return keys, numbers


TAG_KEYS, TAG_VALUES = hash_table(
    dict.fromkeys(_VOID_TAGS, VOID) | {name: number for number, name in enumerate(TAGS) if name}
)
FNV, FNV_PRIME = np.uint64(_OFFSET), np.uint64(_PRIME)
U32 = np.uint64(32)
NOTHING = np.uint64(0)


@njit(cache=True, nogil=True, counts=False)
def heading_level(tag):
    """Return the level of a heading, 1 to 6; 0 for another tag."""
    return tag - H1 + 1 if tag >= H1 and tag <= H6 else 0


@njit(cache=True, nogil=True, counts=False)
def look_up(keys, values, key):
    """Return the value of a hash, 0 if it is not in the table."""
    slot = np.int64((key ^ (key >> U32)) & np.uint64(SLOTS - 1))
    while keys[slot] != NOTHING:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(0)
