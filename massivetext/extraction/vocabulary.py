"""The words that a page is read by: what the values of class, id and role are a sign of. Tags are in tags.py."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.tags import (
    ADDRESS,
    BLOCKQUOTE,
    BODY,
    BR,
    BUTTON,
    CAPTION,
    DD,
    DIR,
    DIV,
    DL,
    DT,
    FIRST_INLINE,
    FIRST_RAW,
    FNV,
    FNV_PRIME,
    H1,
    H6,
    HR,
    HTML,
    LI,
    LISTING,
    MENU,
    N_TAGS,
    NOTHING,
    OL,
    PRE,
    SCRIPT,
    SLOTS,
    STRONG,
    STYLE,
    TABLE,
    TAG_KEYS,
    TAG_VALUES,
    TAGS,
    TBODY,
    TD,
    TFOOT,
    TH,
    THEAD,
    TITLE,
    TR,
    U32,
    UL,
    A,
    B,
    P,
    hash_table,
    hash_word,
    look_up,
    tag_id,
)
from massivetext.kernels import njit

__all__ = [
    "ADDRESS",
    "BLOCKQUOTE",
    "BODY",
    "BR",
    "BUTTON",
    "CAPTION",
    "DD",
    "DIR",
    "DIV",
    "DL",
    "DT",
    "FIRST_INLINE",
    "FIRST_RAW",
    "FNV",
    "FNV_PRIME",
    "H1",
    "H6",
    "HINTS",
    "HINT_HIDDEN",
    "HINT_KEYS",
    "HINT_NAMES",
    "HINT_VALUES",
    "HR",
    "HTML",
    "LI",
    "LISTING",
    "MENU",
    "NOTHING",
    "N_TAGS",
    "OL",
    "PRE",
    "SCRIPT",
    "SLOTS",
    "STRONG",
    "STYLE",
    "TABLE",
    "TAGS",
    "TAG_KEYS",
    "TAG_VALUES",
    "TBODY",
    "TD",
    "TFOOT",
    "TH",
    "THEAD",
    "TITLE",
    "TR",
    "U32",
    "UL",
    "WHOLE",
    "A",
    "B",
    "P",
    "look_up",
    "may_be_hint",
    "tag_id",
]

# What class, id, role and itemprop values say of an element: words by what they are a sign of. A word counts as the
# beginning of a name's part ("related" in "relatedPosts"); one with a full stop only as a whole part ("nav.").
HINTS = {
    "comment": "comment kommentar disqus reply replies respond discussion livefyre guestbook",
    "share": "share sharing social facebook twitter addthis sharedaddy follow whatsapp pinterest bookmark. teilen",
    "navigation": "nav. navi. navbar navigation menu breadcrumb pager paging pagination tabs. skip toolbar topbar toc.",
    "footer": "footer foot. copyright imprint impressum legal. colophon bottom.",
    "side": "sidebar side. aside widget rail. secondary complementary marginal rightcol leftcol sidecol",
    "related": (
        "related recommend teaser similar popular trending mostread more. next. previous prev. latest recent recirc "
        "outbrain taboola also. readmore promo archive adjacent suggest mehr. verwandt"
    ),
    "meta": (
        "meta. metadata byline date. time. tag. tags. taglist category categories published postinfo info. dateline"
    ),
    "advert": (
        "ad. ads. advert adsense sponsor newsletter subscribe subscription signup paywall overlay login register "
        "donate anzeige werbung promotion commercial"
    ),
    "caption": "caption credit thumb image. img. figure photo bild. wp-caption",
    "content": (
        "article content post. entry story body. text. main. articlebody postbody entrycontent beitrag inhalt artikel "
        "hentry maincontent bodytext storybody"
    ),
    "hidden": "hidden. hide. invisible visuallyhidden screenreader sr. noprint none.",
    "gallery": "gallery slideshow carousel slider slides. slide. lightbox swiper zoom. video. player media.",
    "dialog": "modal dialog popup popover tooltip dropdown drawer cookie consent gdpr onetrust alert banner toast",
    "author": "author autor bio. profile avatar user. username member. signature vcard contributor writer",
    "review": "review rating stars. testimonial feedback bewertung",
    "shop": "cart. buy. price checkout shipping delivery payment sku. stock. quantity wishlist basket preis warenkorb",
    "product": "product pdp. description desc. specs specification feature detail details. ingredient variant",
    "question": "faq accordion question answer collapse toggle expand",
    "title": "title heading headline header. dek. subtitle caption-title subhead titel",
    "card": "card tile grid item. items. listing result results. collection col. list.",
    "filter": "filter sort. search facet form. field. input select. option",
    "button": "btn button cta. action actions. link. links. more-link icon badge label.",
    "note": "disclaimer disclosure footnote notice note. attribution sources references reflist hatnote",
    "prose": "prose paragraph wysiwyg richtext rte. markdown copy. summary excerpt lead. intro abstract",
    "post": "message thread topic forum postbit bbcode quote. quoted bubble",
    "code": "code. highlight snippet syntax sourcecode linenos lineno codehilite terminal",
}
HINT_NAMES = tuple(HINTS)
HINT_HIDDEN = 1 << HINT_NAMES.index("hidden")

WHOLE = 1 << 30


def _hint_values() -> dict[str, int]:
    values: dict[str, int] = {}
    for bit, words in enumerate(HINTS.values()):
        for word in words.split():
            values[word.rstrip(".")] = values.get(word.rstrip("."), 0) | 1 << bit | (WHOLE if word[-1] == "." else 0)
    return values


HINT_KEYS, HINT_VALUES = hash_table(_hint_values())
_EIGHTHS = np.zeros(SLOTS, np.uint8)
for _key in HINT_KEYS[HINT_KEYS != NOTHING].tolist():
    _EIGHTHS[(_key ^ _key >> 32) % SLOTS] |= 1 << (_key >> 61)


@njit(cache=True, nogil=True, counts=False)
def may_be_hint(key):
    """Whether a hash may be in HINT_KEYS: of those that are not, one in 60. Its table stays in the nearest cache."""
    slot = (key ^ (key >> U32)) & np.uint64(SLOTS - 1)
    return _EIGHTHS[slot] >> (key >> np.uint64(61)) & 1 != 0


NAME_CLASS, NAME_ID, NAME_ROLE, NAME_ITEMPROP, NAME_STYLE, NAME_HIDDEN, NAME_ARIA_HIDDEN, NAME_HREF = (
    np.uint64(hash_word(name)) for name in ("class", "id", "role", "itemprop", "style", "hidden", "aria-hidden", "href")
)
