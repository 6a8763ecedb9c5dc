"""The words that a page is read by: names of tags, and what the values of class, id and role are a sign of.

Words are looked up in open-addressed hash tables by their 64-bit FNV-1a hash, from kernels.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["HINTS", "HINT_NAMES", "TAGS", "look_up", "tag_id"]

_BLOCK_TAGS = (
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "pre", "blockquote", "ul", "ol", "dl", "div"),
    *("td", "th", "tr", "table", "thead", "tbody", "tfoot", "caption", "section", "article", "main", "body", "html"),
    *("nav", "header", "footer", "aside", "form", "figure", "figcaption", "address", "center", "details", "summary"),
    *("fieldset", "legend", "noscript", "dialog", "menu", "hgroup", "hr", "listing", "dir", "search", "frameset"),
)
_RAW_TAGS = (
    *(
        "script",
        "style",
        "textarea",
        "title",
        "iframe",
        "xmp",
        "noembed",
        "noframes",
        "svg",
        "math",
        "select",
        "template",
    ),
    *("video", "audio", "datalist"),
)
_INLINE_TAGS = ("a", "button", "br", "b", "strong")
TAGS = ("", *_BLOCK_TAGS, *_RAW_TAGS, *_INLINE_TAGS)


def tag_id(name: str) -> int:
    """The number of a tag in `Tree.tag`, 0 for one that makes no difference."""
    return TAGS.index(name)


P, LI, DT, DD, PRE, DIV = map(tag_id, ("p", "li", "dt", "dd", "pre", "div"))
H1, H6, BLOCKQUOTE, UL, OL, DL, ADDRESS = map(tag_id, ("h1", "h6", "blockquote", "ul", "ol", "dl", "address"))
TD, TH, TR, TABLE, THEAD, TBODY, TFOOT, CAPTION = map(
    tag_id, ("td", "th", "tr", "table", "thead", "tbody", "tfoot", "caption")
)
SCRIPT, STYLE = map(tag_id, ("script", "style"))
BODY, HTML, HR, TITLE, LISTING, MENU, DIR = map(tag_id, ("body", "html", "hr", "title", "listing", "menu", "dir"))
A, BUTTON, BR, B, STRONG = map(tag_id, _INLINE_TAGS)
FIRST_RAW = 1 + len(_BLOCK_TAGS)
FIRST_INLINE = FIRST_RAW + len(_RAW_TAGS)
N_TAGS = len(TAGS)

# What class, id, role and itemprop values say of an element: words by what they are a sign of. A word counts as the
# beginning of a name's part ("related" in "relatedPosts"); one with a full stop only as a whole part ("nav.").
HINTS = {
    "comment": "comment kommentar disqus reply replies respond discussion livefyre reviews guestbook",
    "share": "share sharing social facebook twitter addthis sharedaddy follow whatsapp pinterest bookmark. teilen",
    "navigation": "nav. navi. navbar navigation menu breadcrumb pager paging pagination tabs. skip toolbar topbar toc.",
    "footer": "footer foot. copyright imprint impressum legal. colophon disclaimer bottom",
    "side": "sidebar side. aside widget rail. secondary complementary marginal rightcol leftcol sidecol",
    "related": (
        "related recommend teaser similar popular trending mostread more. next. previous prev. latest recent recirc "
        "outbrain taboola also. readmore promo archive adjacent suggest mehr. verwandt"
    ),
    "meta": (
        "meta. metadata byline author date. time. tag. tags. taglist category categories published bio. postinfo info."
    ),
    "advert": (
        "ad. ads. advert adsense banner sponsor newsletter subscribe subscription signup cookie consent gdpr popup "
        "modal "
        "paywall overlay login register donate anzeige werbung promotion commercial"
    ),
    "caption": "caption credit gallery slideshow thumb image. img. figure photo bild. wp-caption carousel slider",
    "content": (
        "article content post. entry story body. text. main. articlebody postbody entrycontent beitrag inhalt artikel "
        "hentry maincontent bodytext storybody"
    ),
    "hidden": "hidden. hide. invisible visuallyhidden screenreader sr. noprint none.",
}
HINT_NAMES = tuple(HINTS)
HINT_HIDDEN = 1 << HINT_NAMES.index("hidden")

_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MASK64 = (1 << 64) - 1
SLOTS = 2048


def _hash(word: str) -> int:
    value = _OFFSET
    for byte in word.encode():
        value = ((value ^ byte) * _PRIME) & _MASK64
    return value


def _table(values: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """An open-addressed hash table, as (keys: uint64[SLOTS], values: int64[SLOTS])."""
    keys, found = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int64)
    for word, value in values.items():
        key = _hash(word)
        slot = (key ^ key >> 32) % SLOTS
        while keys[slot]:
            if int(keys[slot]) == key:
                break
            slot = (slot + 1) % SLOTS
        keys[slot] = key
        found[slot] |= value
    return keys, found


WHOLE = 1 << 30


def _hint_values() -> dict[str, int]:
    values: dict[str, int] = {}
    for bit, words in enumerate(HINTS.values()):
        for word in words.split():
            values[word.rstrip(".")] = values.get(word.rstrip("."), 0) | 1 << bit | (WHOLE if word[-1] == "." else 0)
    return values


TAG_KEYS, TAG_VALUES = _table({name: number for number, name in enumerate(TAGS) if name})
HINT_KEYS, HINT_VALUES = _table(_hint_values())
NAME_CLASS, NAME_ID, NAME_ROLE, NAME_ITEMPROP, NAME_STYLE, NAME_HIDDEN, NAME_ARIA_HIDDEN, NAME_HREF = (
    np.uint64(_hash(name)) for name in ("class", "id", "role", "itemprop", "style", "hidden", "aria-hidden", "href")
)
FNV, FNV_PRIME = np.uint64(_OFFSET), np.uint64(_PRIME)
U32 = np.uint64(32)
NOTHING = np.uint64(0)


@njit(cache=True, nogil=True)
def look_up(keys, values, key):
    slot = np.int64((key ^ (key >> U32)) & np.uint64(SLOTS - 1))
    while keys[slot] != NOTHING:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + 1) & (SLOTS - 1)
    return np.int64(0)
