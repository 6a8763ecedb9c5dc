"""Bytes of a page as tags, comments and raw text: what the parser and the renderer both read.

Every function takes the page as uint8[bytes] and positions in it. Time is linear: no function looks at a byte twice,
but for the searches of `find_end` and `skip_container`, which their callers do not repeat once they have failed.
"""

from __future__ import annotations

import numpy as np

from massivetext.extraction.tags import (
    DIV,
    FIRST_RAW,
    FNV,
    FNV_PRIME,
    H1,
    H6,
    MATH,
    SCRIPT,
    SVG,
    TAG_KEYS,
    TAG_VALUES,
    TEMPLATE,
    hash_word,
    look_up,
    tag_id,
)
from massivetext.kernels import njit
from massivetext.masks import WIDTH, count_bits, equal_mask, lowest_bit

__all__ = [
    "BLANK",
    "CAPITAL",
    "CLOSES",
    "DIGIT",
    "LETTER",
    "NAME_BYTES",
    "RARE",
    "count_byte",
    "find_attribute",
    "find_byte",
    "find_end",
    "is_letter",
    "is_space",
    "next_attribute",
    "read_name",
    "skip_container",
    "skip_declaration",
    "skip_tag",
    "starts_markup",
]

LT, GT, SLASH, BANG, QUESTION, EQUALS, DASH = 60, 62, 47, 33, 63, 61, 45
QUOTE, APOSTROPHE = 34, 39

BLANK, DIGIT, CAPITAL, LETTER, CLOSES, RARE = (256 << k for k in range(6))
NAME_BYTES = np.arange(256, dtype=np.uint16)
"""What a byte of a name is, of a tag or an attribute, or in a class: itself as a small letter, and bits. LETTER: a
letter, or not ASCII. CLOSES: what ends a tag. RARE: what parts names of classes, or may tell of a cookie banner."""
NAME_BYTES[65:91] += 32 + CAPITAL
NAME_BYTES[[*range(9, 14), 32]] += BLANK
NAME_BYTES[48:58] += DIGIT
NAME_BYTES[[*range(65, 91), *range(97, 123), *range(128, 256)]] += LETTER
NAME_BYTES[list(b"/>")] += CLOSES
NAME_BYTES[list(b":-kKpPvV")] += RARE

# Tags that end an svg or math element in which they begin (HTML, "the rules for parsing tokens in foreign content").
_BREAKOUT = np.zeros(256, np.bool_)
for _name in (
    *("p", "li", "dt", "dd", "pre", "blockquote", "ul", "ol", "dl", "div", "table", "body", "center", "menu", "hr"),
    *("listing", "b", "strong", "br", "code", "ruby", "img"),
):
    _BREAKOUT[tag_id(_name)] = True
_BREAKOUT[H1 : H6 + 1] = True
_BREAKOUT_INLINE = tuple(
    np.uint64(hash_word(name)) for name in ("span", "em", "i", "small", "sub", "sup", "u", "s", "tt", "var", "big")
)
_HTML_INSIDE = tuple(np.uint64(hash_word(name)) for name in ("foreignobject", "desc", "annotation-xml"))
_CDATA = np.frombuffer(b"[CDATA[", np.uint8).copy()


@njit(cache=True, nogil=True, counts=False)
def is_letter(c):
    return (c >= 65 and c <= 90) or (c >= 97 and c <= 122)


@njit(cache=True, nogil=True, counts=False)
def is_space(c):
    return c == 32 or (c >= 9 and c <= 13)


@njit(cache=True, nogil=True, counts=False)
def find_byte(page, i, c):
    """Return the position of the next byte c at or after i, the page's end if there is none."""
    n = len(page)
    at, step = np.uint64(i), np.uint64(WIDTH)  # signed ones are checked
    end = np.uint64(max(0, n - WIDTH + 1))
    while at < end:
        equal = equal_mask(page, at, np.uint8(c))
        if equal:
            return np.int64(at + lowest_bit(equal))
        at += step
    i = np.int64(at)
    while i < n and page[i] != c:
        i += 1
    return i


@njit(cache=True, nogil=True, counts=False)
def count_byte(page, c):
    """Return how many bytes of the page are c."""
    at, step = np.uint64(0), np.uint64(WIDTH)  # signed ones are checked
    end = np.uint64(max(0, len(page) - WIDTH + 1))
    count = 0
    while at < end:
        count += np.int64(count_bits(equal_mask(page, at, np.uint8(c))))
        at += step
    for i in range(np.int64(at), len(page)):
        count += page[i] == c
    return count


@njit(cache=True, nogil=True, counts=False)
def _find_either(page, i, c, d):
    """Return the position of the next byte c or d at or after i, the page's end if there is none."""
    n = len(page)
    at, step = np.uint64(i), np.uint64(WIDTH)  # signed ones are checked
    end = np.uint64(max(0, n - WIDTH + 1))
    while at < end:
        equal = equal_mask(page, at, np.uint8(c)) | equal_mask(page, at, np.uint8(d))
        if equal:
            return np.int64(at + lowest_bit(equal))
        at += step
    i = np.int64(at)
    while i < n and page[i] != c and page[i] != d:
        i += 1
    return i


@njit(cache=True, nogil=True, counts=False)
def starts_markup(page, i):
    """Whether the `<` at i begins a tag, a comment, a declaration or an instruction."""
    if i + 1 >= len(page):
        return False
    following = page[i + 1]
    if is_letter(following) or following == BANG or following == QUESTION:
        return True
    return following == SLASH and i + 2 < len(page)


@njit(cache=True, nogil=True, counts=False)
def read_name(page, i):
    """Return (number of the tag whose name starts at i, hash of the name, position after it)."""
    n = len(page)
    h = FNV
    while i < n:
        kind = NAME_BYTES[page[np.uint64(i)]]  # signed positions are checked
        if kind & (BLANK | CLOSES):
            break
        h = (h ^ np.uint64(kind & 255)) * FNV_PRIME
        i += 1
    return look_up(TAG_KEYS, TAG_VALUES, h), h, i


@njit(cache=True, nogil=True, counts=False)
def next_attribute(page, i):
    """Read the attribute at i, or the end of the tag.

    Returns (hash of the name or 0 at the tag's end, start and end of the value, position after it; at the tag's end,
    the position after the `>`, and in place of the value's start whether a `/` stood before the `>`).
    """
    n = len(page)
    slash = 0
    while i < n and (is_space(page[i]) or page[i] == SLASH):
        slash = np.int64(page[i] == SLASH)
        i += 1
    if i >= n:
        return np.uint64(0), slash, 0, n
    if page[i] == GT:
        return np.uint64(0), slash, 0, i + 1
    h = FNV
    first = True
    while i < n:
        kind = NAME_BYTES[page[np.uint64(i)]]  # signed positions are checked
        if kind & (BLANK | CLOSES) or (kind == EQUALS and not first):
            break
        first = False
        h = (h ^ np.uint64(kind & 255)) * FNV_PRIME
        i += 1
    start = i
    while i < n and is_space(page[i]):
        i += 1
    if i >= n or page[i] != EQUALS:
        return h, start, start, i
    i += 1
    while i < n and is_space(page[i]):
        i += 1
    if i < n and (page[i] == QUOTE or page[i] == APOSTROPHE):
        start = i + 1
        i = find_byte(page, start, page[i])
        return h, start, i, min(n, i + 1)
    start = i
    while i < n and not is_space(page[i]) and page[i] != GT:
        i += 1
    return h, start, i, i


@njit(cache=True, nogil=True, counts=False)
def find_attribute(page, i, name):
    """Return the value of the attribute whose name has this hash, in the tag whose attributes start at i, as (start,
    end); (-1, -1) if the tag has none."""
    while True:
        h, start, end, i = next_attribute(page, i)
        if h == 0:
            return -1, -1
        if h == name:
            return start, end


@njit(cache=True, nogil=True, counts=False)
def skip_tag(page, i):
    """Return (position after the `>` of the tag whose attributes start at i or the page's end, whether a `/` stood
    before the `>`)."""
    n = len(page)
    while i < n:
        begin = i
        i = _find_either(page, i, GT, EQUALS)
        if i < n and page[i] == GT:
            return i + 1, i > begin and page[i - 1] == SLASH
        i += 1
        while i < n and is_space(page[i]):
            i += 1
        if i < n and (page[i] == QUOTE or page[i] == APOSTROPHE):
            i = find_byte(page, i + 1, page[i]) + 1
    return n, False


@njit(cache=True, nogil=True, counts=False)
def skip_declaration(page, i):
    """Return the position after the comment, declaration or instruction that starts with the `<` at i."""
    n = len(page)
    if i + 3 < n and page[i + 1] == BANG and page[i + 2] == DASH and page[i + 3] == DASH:
        j = i + 4
        if j < n and page[j] == GT:  # <!-->
            return j + 1
        if j + 1 < n and page[j] == DASH and page[j + 1] == GT:  # <!--->
            return j + 2
        j = find_byte(page, j, GT)
        while j < n:
            # The dashes of the end are not those of the beginning.
            if j >= i + 6 and page[j - 1] == DASH and page[j - 2] == DASH:
                return j + 1
            if j >= i + 7 and page[j - 1] == BANG and page[j - 2] == DASH and page[j - 3] == DASH:
                return j + 1
            j = find_byte(page, j + 1, GT)
        return n
    return min(n, find_byte(page, i + 2, GT) + 1)


@njit(cache=True, nogil=True, counts=False)
def _is_script_tag(page, i):
    """Whether the name at i is `script`, ended as a name of script data is."""
    tag, _, end = read_name(page, i)
    return tag == SCRIPT and end < len(page)


@njit(cache=True, nogil=True, counts=False)
def _find_script_end(page, i):
    """The position of the script end tag that ends the script whose content starts at i; -1 if none does.

    A `<!--` in a script begins an escaped part, a `<script` within that a doubly escaped one, in which an end tag of a
    script only goes back to escaped (HTML, "script data double escaped state").
    """
    n = len(page)
    escaped = False
    double = False
    while i + 2 < n:
        c = page[i]
        if c != LT:
            if not escaped:
                i = find_byte(page, i, LT)
                continue
            if c == DASH and page[i + 1] == DASH and _closes_comment(page, i):
                escaped = double = False
            i += 1
            continue
        following = page[i + 1]
        if following == BANG and i + 3 < n and page[i + 2] == DASH and page[i + 3] == DASH:
            escaped = True
            i += 2
        elif following == SLASH and is_letter(page[i + 2]):
            if _is_script_tag(page, i + 2):
                if not double:
                    return i
                double = False
            i += 2
        else:
            if escaped and not double and is_letter(following) and _is_script_tag(page, i + 1):
                double = True
            i += 1
    return -1


@njit(cache=True, nogil=True, counts=False)
def _closes_comment(page, i):
    """Whether the two dashes at i, and any that follow, come before a `>`."""
    return i + 2 < len(page) and page[i + 2] == GT


@njit(cache=True, nogil=True, counts=False)
def find_end(page, i, tag):
    """Return the position of the end tag of a raw text element whose content starts at i; -1 if it has none."""
    if tag == SCRIPT:
        end = _find_script_end(page, i)
        if end >= 0:
            return end
    n = len(page)
    i = find_byte(page, i, LT)
    while i + 2 < n:
        if page[i + 1] == SLASH and is_letter(page[i + 2]):
            name, _, _ = read_name(page, i + 2)
            if name == tag:
                return i
        i = find_byte(page, i + 1, LT)
    return -1


@njit(cache=True, nogil=True, counts=False)
def _is_cdata(page, i):
    """Whether `<![CDATA[` stands at i."""
    if i + 9 > len(page):
        return False
    for k in range(len(_CDATA)):
        if page[i + 2 + k] != _CDATA[k]:
            return False
    return True


@njit(cache=True, nogil=True, counts=False)
def _skip_cdata(page, i):
    n = len(page)
    i += 9
    while i + 2 < n:
        if page[i] == 93 and page[i + 1] == 93 and page[i + 2] == GT:
            return i + 3
        i += 1
    return n


@njit(cache=True, nogil=True, counts=False)
def _breaks_out(tag, name):
    if tag and _BREAKOUT[tag]:
        return True
    for h in _BREAKOUT_INLINE:
        if name == h:
            return True
    return False


@njit(cache=True, nogil=True, counts=False)
def _is_html_inside(name):
    for h in _HTML_INSIDE:
        if name == h:
            return True
    return False


@njit(cache=True, nogil=True, counts=False)
def skip_container(page, i, tag):
    """Return the position of what ends an element whose content is markup that holds no text of the page (svg, math,
    template, select, video), and starts at i: its end tag, or, of svg and math, a tag that belongs to HTML; -1 if
    nothing ends it. Elements of the same tag nest."""
    n = len(page)
    foreign = tag == SVG or tag == MATH
    depth = 1
    html = 0  # elements with HTML inside
    while i < n:
        if page[i] != LT:
            i = find_byte(page, i, LT)
            continue
        if not starts_markup(page, i):
            i += 1
            continue
        following = page[i + 1]
        if following == BANG or following == QUESTION:
            i = _skip_cdata(page, i) if foreign and _is_cdata(page, i) else skip_declaration(page, i)
            continue
        closing = following == SLASH
        if closing and not is_letter(page[i + 2]):
            i = skip_declaration(page, i)
            continue
        at = i
        other, name, i = read_name(page, i + 1 + closing)
        i, empty = skip_tag(page, i)
        if other == tag:
            if closing:
                depth -= 1
                if depth == 0:
                    return at
            elif not empty and (foreign or tag == TEMPLATE):
                depth += 1
        elif foreign:
            if _is_html_inside(name):
                html += -1 if closing else np.int64(not empty)
            elif not closing and html <= 0 and _breaks_out(other, name):
                return at
        elif not closing and other >= FIRST_RAW and (other == SCRIPT or other == SCRIPT + 1):
            end = find_end(page, i, other)
            i = end if end >= 0 else n
    return -1


_ = DIV
