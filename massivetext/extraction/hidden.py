"""Which elements a reader of the page does not see: by attribute, style, class, or because they are a cookie banner.

Not hidden are elements that a reader opens with a click (`<details>`, the panels of an accordion or of tabs), elements
that only some widths of the screen hide, and elements that fade in. What becomes of hidden elements is decided in
html.py: if they contain most of a page's text, a script shows it, and it is kept.
"""

from __future__ import annotations

import numpy as np

from massivetext.extraction.markup import (
    BLANK,
    NAME_BYTES,
    RARE,
    is_space,
    next_attribute,
    read_name,
    skip_declaration,
    skip_tag,
    starts_markup,
)
from massivetext.extraction.styles import read_word, style_hides
from massivetext.extraction.tags import (
    DIALOG,
    FNV,
    FNV_PRIME,
    hash_table,
    hash_word,
    look_up,
)
from massivetext.kernels import njit

__all__ = [
    "COLLAPSED",
    "GUTTER",
    "HIDDEN",
    "NAMES",
    "add_to_name",
    "attribute_signs",
    "hides",
    "is_gutter",
    "name_signs",
    "read_inline",
    "whole_signs",
    "word_signs",
]

# Signs of an attribute's value, and of an element by all its attributes.
HIDDEN, GUTTER, SHOWN, COLLAPSED, OVERLAY, COOKIE, NOTICE, OPEN, BANNER, BY_CLASS, HREF = (1 << k for k in range(11))

_HIDDEN_CLASSES = (
    *("sr-only", "sronly", "sr_only", "visually-hidden", "visuallyhidden", "visually_hidden", "visuallyhide"),
    *("screen-reader-text", "screen-reader-only", "screen-reader", "screenreader", "screenreader-only", "sr-text"),
    *("screenreadertext", "screen_reader_text", "screenreaders-only", "screen-readers-only", "for-screen-reader"),
    *("show-for-sr", "element-invisible", "assistive-text", "a11y-hidden", "a11y-only", "a11y-text", "a11y-sr-only"),
    *("hidden-visually", "u-hidden-visually", "u-visually-hidden", "u-visuallyhidden", "is-visually-hidden", "vh"),
    *("u-sr-only", "is-sr-only", "usa-sr-only", "govuk-visually-hidden", "cdk-visually-hidden", "accessibly-hidden"),
    *("mat-cdk-visually-hidden", "accessible-hide", "accesshide", "visually-hidden-focusable", "offscreen"),
    *("off-screen", "is-offscreen", "uk-hidden", "hidden", "hide", "is-hidden", "d-none", "invisible", "ng-hide"),
    *(
        "u-hidden",
        "u-hide",
        "display-none",
        "displaynone",
        "display_none",
        "is-invisible",
        "dn",
        "noshow",
        "no-display",
    ),
    *("hidden-text", "text-hide", "text-hidden", "w-condition-invisible", "mjx_assistive_mathml", "mathjax_preview"),
    *("accessibility-hidden", "visually-hide", "slds-assistive-text", "elementor-screen-only", "skip-link"),
    *("ui-helper-hidden", "ui-helper-hidden-accessible", "x-hidden", "hiddenstructure", "hidden-accessible"),
)
_GUTTER_CLASSES = (
    *("lineno", "linenos", "line-number", "line-numbers", "linenumber", "linenumbers", "linenodiv", "lnt", "ln"),
    *("hljs-ln-numbers", "hljs-ln-n", "blob-num", "gutter", "gutter-line", "rouge-gutter", "line-numbers-rows"),
    *("react-line-number", "react-code-line-number", "codemirror-linenumber", "linenr", "crayon-nums", "line_number"),
    *("codemirror-gutter", "line_numbers", "line-num", "line-nums", "linenum", "lineno-container"),
    *("ln-num", "prettyprint-linenum", "code-line-number", "line-no", "lineno-col"),
)
_BANNER_CLASSES = (
    *("cc-window", "cc-banner", "didomi-host", "didomi-popup-container", "didomi-notice", "usercentrics-root"),
    *("uc-banner-wrapper", "qc-cmp2-container", "qc-cmp2-ui", "qc-cmp-ui-container", "qc-cmp-ui", "sp_message"),
    *("truste_overlay", "truste_box_overlay", "truste-messagecolumn", "osano-cm-window", "osano-cm-dialog", "klaro"),
    *("onetrust-banner-sdk", "onetrust-consent-sdk", "onetrust-pc-sdk", "ot-sdk-container", "cybotcookiebotdialog"),
    *("iubenda-cs-banner", "iubenda-cs-container", "termly-code-snippet-support", "cky-consent-container", "cky-modal"),
    *("cli-modal", "cmplz-cookiebanner", "cmplz-cookiebanner-container", "moove_gdpr_cookie_info_bar", "tarteaucitron"),
    *("tarteaucitronroot", "axeptio_overlay", "cc_container", "cc_banner", "cc_banner-wrapper", "cookie", "cookies"),
    *("cmpbox", "cmpwrapper", "cmp-container", "cmp-banner", "fc-consent-root", "gdpr", "cookiescript_injected"),
    *("consent-banner", "consent-popup", "consent-modal", "consent-overlay", "consent-bar", "consent-manager"),
    *("consent-notice", "consent-dialog", "privacy-banner", "privacy-popup", "privacy-bar", "cookieconsent"),
    *(
        "evidon-banner",
        "_evidon_banner",
        "eu-cookie",
        "eucookie",
        "eu_cookie",
        "cookie-law-info-bar",
        "wt-cli-cookie-bar",
    ),
)
_COLLAPSED_WORDS = (
    *("accordion", "collapse", "collapsed", "collapsible", "tab", "tabs", "tabpanel", "toggle", "faq", "answer"),
    *("expand", "expandable", "expander", "expanded", "spoiler", "readmore", "more", "details", "panel", "disclosure"),
    *(
        "akkordeon",
        "foldable",
        "folded",
        "truncated",
        "fulltext",
        "wow",
        "aos",
        "animate",
        "animated",
        "lazy",
        "reveal",
    ),
)
_OVERLAY_WORDS = (
    *("modal", "dialog", "popup", "overlay", "lightbox", "offcanvas", "drawer", "tooltip", "popover", "cookie"),
    *("cookies", "consent", "toast", "menu", "nav", "login", "newsletter", "subscribe", "interstitial", "paywall"),
)
_COOKIE_WORDS = (
    *("cookie", "cookies", "gdpr", "ccpa", "dsgvo", "rgpd", "lgpd", "cookielaw", "cookieconsent", "optanon"),
    *("cookiebar", "cookiebanner", "cookienotice", "cookiepolicy", "cookiepopup", "cookiealert", "cookiemessage"),
    *("eucookie", "eucookielaw", "cookieinfo", "cookiehinweis", "cookiewarning", "cookiebot", "onetrust", "cookieyes"),
    *("borlabs", "cookieman", "cookiebox", "cookiemodal", "cookieoverlay", "cookieswarning"),
)
_NOTICE_WORDS = (
    *("banner", "notice", "bar", "consent", "popup", "message", "law", "alert", "modal", "dialog", "overlay", "box"),
    *("wrapper", "container", "info", "disclaimer", "accept", "warning", "notification", "msg", "prompt", "toast"),
    *("layer", "hint", "compliance", "manager", "control", "panel", "wall", "hinweis", "infobar", "disclosure"),
    *("cookiebar", "cookiebanner", "cookienotice", "cookiepopup", "cookieconsent", "cookielaw", "cookiealert"),
    *("cookiemessage", "eucookie", "eucookielaw", "cookieinfo", "cookiehinweis", "cookiewarning", "cookiebot"),
    *("optanon", "sdk", "settings", "preferences", "root", "tooltip", "slidein", "footer", "window", "drawer"),
    *("cookiebox", "cookiemodal", "cookieoverlay", "cookieswarning", "snackbar", "ribbon", "strip", "agree"),
)


def _signs(*groups: tuple[int, tuple[str, ...]]) -> dict[str, int]:
    values: dict[str, int] = {}
    for sign, words in groups:
        for word in words:
            values[word] = values.get(word, 0) | sign
    return values


_CLASS_KEYS, _CLASS_VALUES = hash_table(
    _signs((HIDDEN, _HIDDEN_CLASSES), (GUTTER, _GUTTER_CLASSES), (BANNER, _BANNER_CLASSES))
)
_WORD_KEYS, _WORD_VALUES = hash_table(
    _signs((COLLAPSED, _COLLAPSED_WORDS), (OVERLAY, _OVERLAY_WORDS), (COOKIE, _COOKIE_WORDS), (NOTICE, _NOTICE_WORDS))
)
# What shows an element at some width: Tailwind's `md:block`, Bootstrap's `d-md-flex`.
_SHOWING = hash_table(
    dict.fromkeys(("block", "flex", "inline", "grid", "table", "contents", "inline-block", "inline-flex"), 1)
)
_SHOWING_KEYS, _SHOWING_VALUES = _SHOWING


def _hash(name: str) -> np.uint64:
    return np.uint64(hash_word(name))


NAMES = tuple(map(_hash, ("class", "id", "style", "hidden", "aria-hidden", "role", "open", "popover", "href")))
_CLASS, _ID, _STYLE, _HIDDEN, _ARIA_HIDDEN, _ROLE, _OPEN, _POPOVER, _HREF = NAMES
_DIALOG_ROLES = tuple(map(_hash, ("dialog", "alertdialog", "tooltip")))
_TRUE = _hash("true")


@njit(cache=True, nogil=True, counts=False)
def _shows_at_width(page, start, end):
    """Whether a class name, after its last `:` or `-`, shows an element at some width of the screen."""
    h = FNV
    for j in range(start, end):
        h = (h ^ np.uint64(page[j])) * FNV_PRIME
    return look_up(_SHOWING_KEYS, _SHOWING_VALUES, h) != 0


@njit(cache=True, nogil=True, counts=False)
def whole_signs(page, begin, end, h, mark):
    """Return the signs of one whole name in a class or id. h: its hash; mark: after its last `:` or `-`, 0 if it has
    none."""
    signs = look_up(_CLASS_KEYS, _CLASS_VALUES, h)
    by_width = mark and (page[mark - 1] == 58 or (page[begin] == 100 and page[begin + 1] == 45))
    if by_width and _shows_at_width(page, mark, end):
        signs |= SHOWN
    return signs


@njit(cache=True, nogil=True, counts=False)
def add_to_name(page, at, kind, h, mark, cookie):
    """Read one more byte of a name in a class or id.

    Args:
        at, kind: where the byte stands, and what it is, of NAME_BYTES.
        h, mark: as of `whole_signs`, for the name up to here.
        cookie: whether words may be those of a cookie banner. Two letters tell: coo(ok)ie, g(dp)r, ds(gv)o.

    Returns:
        h, mark and cookie with this byte.
    """
    h = (h ^ np.uint64(kind & 255)) * FNV_PRIME
    if kind & RARE:
        c, before = kind & 255, page[at - 1] | 32  # before a name stands no letter
        if c == 58 or c == 45:
            mark = at + 1
        elif (c == 107 and before == 111) or (c == 112 and before == 100) or (c == 118 and before == 103):
            cookie = True
    return h, mark, cookie


@njit(cache=True, nogil=True, counts=False)
def _class_signs(page, start, end):
    """(signs of the whole names in a class or id, whether the words in them may be those of a cookie banner)."""
    signs = np.int64(0)
    cookie = False
    begin, mark, h = start, 0, FNV
    for i in range(start, end):
        kind = NAME_BYTES[page[np.uint64(i)]]  # signed positions are checked
        if kind & BLANK:
            signs |= whole_signs(page, begin, i, h, mark)
            begin, mark, h = i + 1, 0, FNV
        else:
            h, mark, cookie = add_to_name(page, i, kind, h, mark, cookie)
    return signs | whole_signs(page, begin, end, h, mark), cookie


@njit(cache=True, nogil=True, counts=False)
def word_signs(page, start, end):
    """Signs of the words in a class, id or role, which are parted by other characters and by capitals."""
    signs = 0
    of_name = 0
    h = FNV
    lower_before = False
    for i in range(start, end + 1):
        c = page[i] if i < end else np.uint8(32)
        upper = c >= 65 and c <= 90
        letter = upper or (c >= 97 and c <= 122)
        if not letter or (upper and lower_before):
            of_name |= look_up(_WORD_KEYS, _WORD_VALUES, h)
            h = FNV
            if is_space(c):
                if of_name & COOKIE and of_name & NOTICE:
                    signs |= BANNER
                signs |= of_name
                of_name = 0
        if letter:
            h = (h ^ np.uint64(c + np.uint8(32) if upper else c)) * FNV_PRIME
        lower_before = letter and not upper
    return signs


@njit(cache=True, nogil=True, counts=False)
def name_signs(page, name, start, end, signs, cookie):
    """Return the signs of a class or id from what `_class_signs` gives of it."""
    if name == _ID:
        signs &= BANNER
    elif signs & HIDDEN:
        signs |= BY_CLASS
    return signs | word_signs(page, start, end) if cookie else signs


@njit(cache=True, nogil=True, counts=False)
def attribute_signs(page, name, start, end):
    """Return the signs of one attribute."""
    if name == _CLASS or name == _ID:
        signs, cookie = _class_signs(page, start, end)
        return name_signs(page, name, start, end, signs, cookie)
    if name == _STYLE:
        return HIDDEN if style_hides(page, start, end) else 0
    if name == _HIDDEN:
        return HIDDEN
    if name == _POPOVER:
        return HIDDEN | OVERLAY
    if name == _ARIA_HIDDEN:
        return HIDDEN if read_word(page, start, end)[0] == _TRUE else 0
    if name == _ROLE:
        role, _ = read_word(page, start, end)
        for other in _DIALOG_ROLES:
            if role == other:
                return HIDDEN | OVERLAY
        return word_signs(page, start, end)
    if name == _OPEN:
        return OPEN
    return 0


@njit(cache=True, nogil=True, counts=False)
def hides(signs, tag):
    """Whether an element with these signs is hidden."""
    if signs & BANNER:
        return True
    if tag == DIALOG:
        return not signs & OPEN
    if not signs & HIDDEN or (signs & BY_CLASS and signs & SHOWN):
        return False
    return bool(signs & OVERLAY) or not signs & COLLAPSED


@njit(cache=True, nogil=True, counts=False)
def read_inline(page, i, tag):
    """Read the attributes of an inline element. Returns (position after the tag, whether it is hidden, its signs)."""
    signs = 0
    while True:
        name, start, end, i = next_attribute(page, i)
        if name == 0:
            break
        if name == _HREF:
            signs |= HREF
            continue
        signs |= attribute_signs(page, name, start, end)
    return i, hides(signs & ~BANNER, tag), signs


_MAX_GUTTER_DEPTH, _MAX_GUTTER_TAGS = 64, 256


@njit(cache=True, nogil=True, counts=False)
def is_gutter(page, i, name):
    """Whether the element whose content starts at i, and whose name has this hash, has only numbers as text, and at
    least one: the line numbers beside code.

    Elements within elements, and many tags without a number, are none: a page of nothing but their beginnings is not
    read again for each.
    """
    n = min(len(page), i + 65536)
    depth = 1
    digits = False
    tags = 0  # since the last digit
    while i < n:
        c = page[i]
        if c == 60 and starts_markup(page, i):
            following = page[i + 1]
            if following == 33 or following == 63:
                i = skip_declaration(page, i)
                continue
            closing = following == 47
            _, other, i = read_name(page, i + 1 + closing)
            i, _ = skip_tag(page, i)
            tags += 1
            if other == name:
                depth += -1 if closing else 1
                if depth == 0:
                    return digits
            if depth > _MAX_GUTTER_DEPTH or tags > _MAX_GUTTER_TAGS:
                return False
            continue
        if c >= 48 and c <= 57:
            digits = True
            tags = 0
        elif not (is_space(c) or c == 124 or c == 46 or c == 58):
            return False
        i += 1
    return False
