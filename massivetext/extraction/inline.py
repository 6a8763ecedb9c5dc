"""The text within one block of a page: markup is skipped, white space is collapsed, `<br>` is a line break."""

from __future__ import annotations

from massivetext.extraction.hidden import GUTTER, is_gutter, read_inline
from massivetext.extraction.markup import (
    find_end,
    is_letter,
    is_space,
    read_name,
    skip_container,
    skip_declaration,
    skip_tag,
    starts_markup,
)
from massivetext.extraction.tags import (
    BR,
    CODE,
    FIRST_INLINE,
    FIRST_RAW,
    IMG,
    MATH,
    RB,
    RP,
    RT,
    RTC,
    RUBY,
    SELECT,
    SVG,
    TEMPLATE,
    TEX,
    VOID,
)
from massivetext.kernels import njit

__all__ = ["MARKDOWN", "SHOW_HIDDEN", "VERBATIM", "XHTML", "write_inline"]

# How inline content is written: bits of `style`.
VERBATIM, MARKDOWN, SHOW_HIDDEN, XHTML = 1, 2, 4, 8

_SPACE, _NEWLINE, _DOLLAR, _BACKTICK = 32, 10, 36, 96


@njit(cache=True, nogil=True, counts=False)
def _skip_raw(page, i, tag, endless):
    """The position after the content of the raw element that starts at i."""
    if endless[tag - FIRST_RAW]:
        return i
    if tag == SVG or tag == MATH or tag == TEMPLATE or tag >= SELECT:
        stop = skip_container(page, i, tag)
    else:
        stop = find_end(page, i, tag)
    if stop >= 0:
        return stop
    endless[tag - FIRST_RAW] = True
    return i


@njit(cache=True, nogil=True, counts=False)
def _skip_inline(page, i, end, tag, name, endless):
    """The position after the inline element whose content starts at i and is left out."""
    ruby = tag == RT or tag == RP or tag == RTC
    count = 1
    while i < end:
        if page[i] != 60 or not starts_markup(page, i):
            i += 1
            continue
        following = page[i + 1]
        closing = following == 47
        if following == 33 or following == 63 or (closing and not is_letter(page[i + 2])):
            i = skip_declaration(page, i)
            continue
        at = i
        other, h, i = read_name(page, i + 1 + closing)
        i, empty = skip_tag(page, i)
        if h == name:
            if closing:
                count -= 1
                if count == 0:
                    return i
            elif not (ruby or empty or other == IMG or other == VOID):
                count += 1
        elif ruby and ((other == RUBY and closing) or (other == RB and not closing)):
            return at
        elif ruby and not closing and (other == RT or other == RP or other == RTC):
            name = h
        elif not closing and other >= FIRST_RAW and other < FIRST_INLINE:
            i = _skip_raw(page, i, other, endless)
    return end


@njit(cache=True, nogil=True, counts=False)
def _inline_tag(page, i, end, style, out, o, indent, endless):
    """The tag at i. Returns (position after it, or after its element if that is left out, end of the output)."""
    closing = page[i + 1] == 47
    tag, name, i = read_name(page, i + 1 + closing)
    if tag == BR:
        i, _ = skip_tag(page, i)
        out[o] = _NEWLINE
        for k in range(indent):
            out[o + 1 + k] = _SPACE
        return i, o + 1 + indent
    if style & MARKDOWN and (tag == TEX or (tag == CODE and not style & VERBATIM)):
        out[o] = _DOLLAR if tag == TEX else _BACKTICK
        i, _ = skip_tag(page, i)
        return i, o + 1
    if closing or tag == VOID or tag == IMG:
        i, _ = skip_tag(page, i)
        return i, o
    if tag >= FIRST_RAW and tag < FIRST_INLINE:
        i, empty = skip_tag(page, i)
        if empty and (style & XHTML or tag == SVG or tag == MATH):
            return i, o
        return _skip_raw(page, i, tag, endless), o
    after, hidden, signs = read_inline(page, i, tag)
    if style & XHTML and page[after - 2] == 47:
        return after, o
    if style & SHOW_HIDDEN:
        hidden = False
    elif not hidden and signs & GUTTER:
        hidden = is_gutter(page, after, name)
    if hidden or tag == RT or tag == RP or tag == RTC:
        return _skip_inline(page, after, end, tag, name, endless), o
    return after, o


@njit(cache=True, nogil=True, counts=False)
def write_inline(page, start, end, style, out, o, indent, endless):
    """Write the text of page[start:end] from out[o] on; returns the position after it. endless: bool[raw tags], which
    have no end tag from here on, so that a page of unclosed ones is not searched to its end for each."""
    i = start
    begin = o
    pending = False  # a space, if more text comes
    verbatim = style & VERBATIM
    while i < end:
        c = page[i]
        if c == 60 and starts_markup(page, i):
            following = page[i + 1]
            if following == 33 or following == 63 or (following == 47 and not is_letter(page[min(i + 2, end - 1)])):
                i = skip_declaration(page, i)
                continue
            if pending and style & MARKDOWN and page[i + 1] != 47 and o > begin and out[o - 1] != _NEWLINE:
                # The space before a code's or formula's mark.
                if out[o - 1] != _SPACE:
                    out[o] = _SPACE
                    o += 1
                pending = False
            i, wrote = _inline_tag(page, i, end, style, out, o, indent, endless)
            if wrote > o and out[o] == _NEWLINE:
                if not verbatim and o == begin:
                    wrote = o  # a line break before any text
                pending = False
            o = wrote
            continue
        if verbatim:
            if c != 13 and c != 0:
                out[o] = c
                o += 1
                if c == _NEWLINE:
                    for _ in range(indent):
                        out[o] = _SPACE
                        o += 1
        elif is_space(c):
            pending = True
        elif c != 0:
            if pending:
                if o > begin and out[o - 1] != _NEWLINE and out[o - 1] != _SPACE:
                    out[o] = _SPACE
                    o += 1
                pending = False
            out[o] = c
            o += 1
        i += 1
    while o > begin and (out[o - 1] == _SPACE or out[o - 1] == _NEWLINE):
        o -= 1
    return o
