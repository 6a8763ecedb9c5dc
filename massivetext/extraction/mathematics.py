"""Formulas of a page as `<tex>` elements, which the renderer writes as TeX; two of them, one in the other, are a
displayed formula.

Sources: TeX annotations of MathML (KaTeX, MathJax, Wikipedia), its `alttext` (LaTeXML), MathML itself, scripts of type
math/tex (MathJax 2), and images whose class says that their `alt` is a formula.
"""

from __future__ import annotations

import re

__all__ = ["rewrite_formulas"]

_STARTS = re.compile(rb"<math[\s>]|<script[^>]{0,200}math/tex|<img[\s/]")
_ANNOTATION = re.compile(
    rb"<annotation[^>]*encoding\s*=\s*[\"']?(?:application/x-tex|tex|latex|application/x-latex)[\"'>\s]", re.IGNORECASE
)
_ALTTEXT = re.compile(rb"\balttext\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_ALT = re.compile(rb"[\s/\"']alt\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_CLASS = re.compile(rb"[\s/\"']class\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_DISPLAY = re.compile(rb"display\s*=\s*[\"']?block|mode\s*=\s*[\"']?display", re.IGNORECASE)
_STYLE_COMMAND = re.compile(rb"\A\{?\s*\\(?:displaystyle|textstyle|scriptstyle)\b\s*(.*?)\}?\s*\Z", re.DOTALL)
_RENDERED = re.compile(rb"(class\s*=\s*[\"'](?:MathJax(?:_[A-Za-z_]+)?|mjx-chtml[^\"']*|MJXc-display)[\"'])")
_TAG = re.compile(rb"<[^<>]*>")
_TOKEN = re.compile(rb"<(/?)(?:[a-zA-Z]+:)?([a-zA-Z]+)[^<>]*?(/?)>|([^<]+)")
_REACH = 2000
"""An image this many bytes or less after a formula, with no text between, shows the same formula."""


def rewrite_formulas(page: bytes) -> bytes:
    """Return the page with every formula that can be read as a `<tex>` element."""
    lowered = page.lower()
    has_scripts = b"math/tex" in lowered
    pieces: list[bytes] = []
    missing: set[bytes] = set()  # names of end tags that do not come any more
    done = formula_end = 0
    for match in _STARTS.finditer(lowered):
        start = match.start()
        if start < done:
            continue
        tag_end = lowered.find(b">", start) + 1
        if tag_end == 0:
            break
        tag = page[start:tag_end]
        if match[0].startswith(b"<img"):
            source = _image_source(tag)
            if source is None:
                continue
            end, kept = tag_end, page[done:start]
            between = page[formula_end:start] if formula_end and start - formula_end < _REACH else b"text"
            if not _TAG.sub(b"", between).strip():
                source = b""
        else:
            name = b"</math" if match[0].startswith(b"<math") else b"</script"
            close = -1 if name in missing else lowered.find(name, tag_end)
            end = lowered.find(b">", close) + 1 if close >= 0 else 0
            if end == 0:
                missing.add(name)
                continue
            content = page[tag_end:close]
            source = _math_source(tag, content) if name == b"</math" else _escape(_without_cdata(content))
            kept = page[done:start]
            if name == b"</math":
                if has_scripts and b"mjx_assistive" in lowered[max(0, start - 200) : start]:
                    continue
                kept = _show_wrapper(kept)
        pieces.append(kept)
        source = _without_style(source.strip())
        if source:
            pieces.append((b"<tex><tex>%s</tex></tex>" if _DISPLAY.search(tag) else b"<tex>%s</tex>") % source)
            formula_end = end
        done = end
    pieces.append(page[done:])
    rewritten = b"".join(pieces)
    return _RENDERED.sub(rb"\1 hidden", rewritten) if has_scripts else rewritten


def _escape(source: bytes) -> bytes:
    return source.replace(b"&", b"&amp;").replace(b"<", b"&lt;")


def _without_cdata(source: bytes) -> bytes:
    return re.sub(rb"%?\s*<!\[CDATA\[|%?\s*\]\]>", b"", source)


def _without_style(source: bytes) -> bytes:
    """TeX without the `{\\displaystyle ...}` that Wikipedia puts around it."""
    if match := _STYLE_COMMAND.match(source):
        inner = match[1]
        return (inner if source.startswith(b"{") == source.endswith(b"}") else source).strip()
    return source


def _show_wrapper(before: bytes) -> bytes:
    """What stands before a formula, with the attributes of a span right around it removed: Wikipedia hides the
    formula's MathML and shows an image."""
    start = before.rfind(b"<span")
    tail = before[start:].rstrip()
    if start >= 0 and tail.endswith(b">") and tail.count(b"<") == 1 and tail.count(b">") == 1:
        return before[:start] + b"<span>"
    return before


def _image_source(tag: bytes) -> bytes | None:
    """The TeX that an img tag shows, or None if it shows no formula."""
    name, alt = _CLASS.search(tag), _ALT.search(tag)
    if not name or not alt or not re.search(rb"math|tex\b|latex", name[1], re.IGNORECASE):
        return None
    return alt[1][1:-1].replace(b"<", b"&lt;").strip(b" $")


def _math_source(tag: bytes, content: bytes) -> bytes:
    """The TeX of a math element."""
    if annotation := _ANNOTATION.search(content):
        start = content.find(b">", annotation.end() - 1) + 1
        end = content.find(b"</", start)
        if start and end > start and content[start:end].strip():
            return content[start:end]
    if (alternative := _ALTTEXT.search(tag)) and alternative[1][1:-1].strip():
        return alternative[1][1:-1].replace(b"<", b"&lt;")
    return _linear(content)


_LAYOUTS = {
    b"msup": b"%s^{%s}", b"msub": b"%s_{%s}", b"msubsup": b"%s_{%s}^{%s}", b"mfrac": b"\\frac{%s}{%s}",
    b"munder": b"%s_{%s}", b"mover": b"%s^{%s}", b"munderover": b"%s_{%s}^{%s}",
}  # fmt: skip


def _linear(content: bytes) -> bytes:
    """MathML as TeX: scripts, fractions, roots and rows; other elements give their text."""
    stack: list[tuple[bytes, list[bytes]]] = [(b"", [])]
    for closing, name, empty, text in _TOKEN.findall(content):
        if text:
            if text.strip():
                stack[-1][1].append(text.strip())
            continue
        name = name.lower()
        if not closing:
            if not empty:
                stack.append((name, []))
            continue
        if len(stack) == 1 or stack[-1][0] != name:
            continue
        _, parts = stack.pop()
        stack[-1][1].append(_join(name, parts))
    while len(stack) > 1:
        name, parts = stack.pop()
        stack[-1][1].append(_join(name, parts))
    return b" ".join(stack[0][1])


def _join(name: bytes, parts: list[bytes]) -> bytes:
    layout = _LAYOUTS.get(name)
    if layout is not None and layout.count(b"%s") == len(parts):
        # A script of one character needs no braces.
        if name != b"mfrac":
            for index in range(1, len(parts)):
                if len(parts[index].decode("utf-8", "replace")) == 1:
                    layout = layout.replace(b"{%s}", b"%s", 1)
                else:
                    layout = layout.replace(b"{%s}", b"{\0}", 1)
            layout = layout.replace(b"{\0}", b"{%s}")
        return layout % tuple(parts)
    if name == b"msqrt":
        return b"\\sqrt{%s}" % b" ".join(parts)
    if name == b"mroot" and len(parts) == 2:
        return b"\\sqrt[%s]{%s}" % (parts[1], parts[0])
    if name == b"annotation" or name == b"annotation-xml":
        return b""
    return b" ".join(part for part in parts if part)
