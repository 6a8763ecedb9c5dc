"""MediaWiki markup to text: without references, boxes, tables of numbers, file captions; headings and lists kept.

Brackets are matched in one pass over the places where one opens or closes, with a stack, so that nested templates,
tables and file captions go as a whole and time is linear. What is left is lines of text with links, emphasis and a few
tags. (mwparserfromhell builds a tree of everything, templates included, and is eight times slower.)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from html import unescape
from importlib import resources
from typing import NamedTuple

from massivetext.extraction import templates
from massivetext.text import clean

__all__ = ["Namespaces", "packaged_namespaces", "to_text"]

PROSE_WORDS = 5.0
"""A table is kept, a line a row, if its cells have at least this many words on average and more words than numbers."""

MAX_LEVELS = 20
"""Lists are indented to this depth."""

LONGEST_NAME = 120
"""Characters of a template's name."""

MAX_DEPTH = 100
"""Links and tables nested deeper are taken as they stand."""

# The branches begin with few characters, so that the search skips to those: a mark of a table begins with its newline.
_NESTED = re.compile(r"\[\[|\]\]|\{\{+|\}\}+|\n[ :*#]*\{\||\n[ \t]*\|\}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DROPPED = frozenset(
    (
        "ref",
        "gallery",
        "timeline",
        "imagemap",
        "score",
        "graph",
        "hiero",
        "templatestyles",
        "mapframe",
        "maplink",
        "references",
        "noinclude",
        "includeonly",
        "inputbox",
        "categorytree",
        "section",
        "indicator",
        "style",
        "script",
    )
)
_VERBATIM = frozenset(("nowiki", "pre", "source", "syntaxhighlight", "math", "chem", "ce"))
_FORMULAS = frozenset(("math", "chem", "ce"))
LONGEST_FORMULA = 200
"""Characters of a formula that is kept, as its TeX source; longer ones are display, not text."""
_ELEMENT = re.compile(rf"<({'|'.join(sorted(_DROPPED | _VERBATIM))})\b([^<>]*)>", re.IGNORECASE)
_KEPT = re.compile("\0(\\d+)\0")
_BREAK = re.compile(r"<(?:br|/p|/div|/blockquote|/li|/tr|hr)\b[^<>]*>\n?", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*\b[^<>]*>")
_URL_LINK = re.compile(
    r"\[(?:https?://|ftp://|//|mailto:|news:|irc://)[^\s\]\[<>]{0,2000}(?: {1,9}([^\]\[\n]{0,1000}))?\]", re.IGNORECASE
)
_EMPHASIS = re.compile(r"'{2,}")
_SWITCH = re.compile(r"__[A-Z]{3,30}__")
_LIST = re.compile(r"([*#:;]+)[ \t]*(.*)\Z")
_EMPTY_BRACKETS = re.compile(r"[ \t]?\((?:[ \t,;:/–-]|&nbsp;)*\)")
_SPACES = re.compile(r"[ \t\xa0]{2,}")
_BLANK = re.compile(r"\n{3,}")
_NAMESPACE = re.compile(
    r"[ \t:]*([^\W\d_][\w\-\u0300-\u036f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff\u200c\u200d ]{0,60}):"
)
_NUMBER = re.compile(r"[\d.,:%+\-–−/()$€£°]+\Z")

_MEDIA = re.compile(
    r"\.(?:jpe?g|png|gif|svg|tiff?|webp|xcf|djvu|pdf|stl|og[gav]|opus|web[mp]|mp[34g]|mpeg|flac|wav|midi?)\s*\Z",
    re.IGNORECASE,
)
_BESIDE_TITLE = re.compile(r"\s{0,9}\([^()]*\)\Z|\A[^:]*:")


class Namespaces(NamedTuple):
    """Names of the namespaces whose links show no words, in lower case: of files, and of categories."""

    files: frozenset[str]
    categories: frozenset[str]

    @classmethod
    def of(cls, names_by_key: Mapping[str, Iterable[str]]) -> Namespaces:
        """Return the namespaces that a dump declares.

        Args:
            names_by_key: the names of each namespace by its key as the dump's `<namespaces>` gives them (`6` for
                files). Its canonical English names count in every wiki.
        """
        files = {"file", "image", "media"}
        for key in ("6", "-2"):
            files.update(map(_name, names_by_key.get(key, ())))
        return cls(frozenset(files), frozenset({"category", *map(_name, names_by_key.get("14", ()))}))


def _name(text: str) -> str:
    """A namespace as it is compared: lower case, one space between words."""
    return " ".join(text.replace("_", " ").split()).lower()


@functools.cache
def packaged_namespaces() -> Namespaces:
    """Return the names in many languages, for markup that comes without its dump."""
    names: dict[str, frozenset[str]] = {}
    data = resources.files("massivetext").joinpath("data/wiki-namespaces.tsv").read_text("utf-8")
    for line in data.split("\n"):
        if line and not line.startswith("#"):
            kind, _, listed = line.partition("\t")
            names[kind] = frozenset(listed.split("|"))
    return Namespaces(names["file"], names["category"])


def to_text(markup: str, *, namespaces: Namespaces | None = None) -> str:
    """Return the prose of a page in MediaWiki markup.

    Templates that are words of a sentence are rendered by their own arguments (`massivetext.extraction.templates`).
    `namespaces` are those that the page's dump declares; by default the packaged names in many languages count.

    Headings stand on lines of their own between blank lines; list items start with `- ` or a number, indented by two
    spaces a level; paragraphs are parted by blank lines. Markup that is not closed costs at most the rest of its line.
    """
    text = clean(markup)
    verbatim: list[str] = []
    if "<" in text:
        text = _without_elements(_COMMENT.sub("", text), verbatim)
    text = _without_nested(text, namespaces or packaged_namespaces())
    if "[" in text:
        text = _URL_LINK.sub(r"\1", text)
    text = _EMPHASIS.sub("", text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    text = _SWITCH.sub("", text)
    text = _EMPTY_BRACKETS.sub("", text)
    if "&" in text:
        text = unescape(text)
    text = _lines(text)
    if verbatim:
        text = _KEPT.sub(lambda match: unescape(verbatim[int(match[1])]), text)
    return clean(text)


def _without_elements(text: str, verbatim: list[str]) -> str:
    """Text without references and other elements that are no prose. What is no markup is moved to `verbatim`, and
    stands as its number between NULs, which text has none of, until all markup is gone."""
    output: list[str] = []
    position = 0
    unclosed: set[str] = set()
    while match := _ELEMENT.search(text, position):
        output.append(text[position : match.start()])
        position = match.end()
        name = match[1].lower()
        if match[2].endswith("/") or name in unclosed:
            continue
        close = re.compile(rf"</{name}\s{{0,9}}>", re.IGNORECASE).search(text, position)
        if close is None:
            unclosed.add(name)
            continue
        if name in _VERBATIM:
            content = text[position : close.start()]
            if name in _FORMULAS:
                content = _formula(content)
                if not content:
                    position = close.end()
                    continue
            newline = "" if name == "nowiki" or name in _FORMULAS else "\n"
            output.append(f"{newline}\0{len(verbatim)}\0{newline}")
            verbatim.append(content.strip("\n") if newline else content)
        position = close.end()
    output.append(text[position:])
    return "".join(output)


def _formula(source: str) -> str:
    """Return the TeX of a formula on one line; nothing for one of several lines or of more than LONGEST_FORMULA."""
    source = source.strip().removeprefix("\\displaystyle").strip()
    return source if len(source) <= LONGEST_FORMULA and "\n" not in source else ""


def _without_nested(text: str, namespaces: Namespaces) -> str:
    """Return the text without file captions and tables of numbers, links and templates replaced by their words.

    The stack contains, for each bracket that is open, its kind and the index of the output at which it stands.
    """
    text = "\n" + text
    output: list[str] = []
    stack: list[tuple[str, int]] = []
    position = 0
    for match in _NESTED.finditer(text):
        start, end = match.span()
        output.append(text[position:start])
        position = end
        mark = match[0]
        if mark == "[[":
            if len(stack) < MAX_DEPTH:
                stack.append(("[", len(output)))
            output.append(mark)
        elif mark == "]]":
            if stack and stack[-1][0] == "[":
                _, begin = stack.pop()
                words = _link("".join(output[begin + 1 :]), namespaces)
                del output[begin:]
                output.append(words.replace("=", templates.EQUALS) if stack and "=" in words else words)
            else:
                output.append(mark)
        elif mark[0] == "{":
            for _ in range(len(mark) // 2):
                stack.append(("{", len(output)))
                output.append("{{")
        elif mark[0] == "}":
            for _ in range(len(mark) // 2):
                opening = _open(stack, "{")
                if opening is None:
                    break
                words = "" if _is_void(output, stack) else _template(output, opening, text, end)
                del output[opening:]
                if words:
                    output.append(words)
        else:
            output.append("\n")
            _table_mark(mark[1:], output, stack)
    output.append(text[position:])
    # What never closed: the mark goes, and of a template or table the line that it begins.
    for kind, start in stack:
        output[start] = ""
        if kind != "[" and start + 1 < len(output):
            _, newline, rest = output[start + 1].partition("\n")
            output[start + 1] = newline + rest
    return "".join(output)[1:].replace(templates.EQUALS, "=").replace(templates.PIPE, "|")


def _table_mark(mark: str, output: list[str], stack: list[tuple[str, int]]) -> None:
    """Open a table, or replace the one that is open by its text."""
    if mark.endswith("{|") and len(stack) < MAX_DEPTH:
        stack.append(("|", len(output)))
        output.append("\n")
        return
    begin = _open(stack, "|") if mark.endswith("|}") else None
    if begin is None:
        output.append(mark)
    else:
        table = "".join(output[begin + 1 :])
        del output[begin:]
        output.append(_table(table))


def _is_void(output: list[str], stack: list[tuple[str, int]]) -> bool:
    """Whether the words of a template are not needed: it stands too deep, or inside one that leaves nothing."""
    if not stack:
        return False
    kind, begin = stack[0]
    if kind != "{" or begin + 1 >= len(output):
        return len(stack) >= MAX_DEPTH
    return len(stack) >= MAX_DEPTH or templates.rule_of(output[begin + 1].partition("|")[0]) is templates.DROPPED


def _template(output: list[str], begin: int, text: str, end: int) -> str:
    """Return the words of the template whose `{{` is output[begin] and whose `}}` ends at text[end]."""
    if begin + 1 >= len(output):
        return ""
    head = output[begin + 1].partition("|")[0]
    rule = templates.rule_of(head) if len(head) <= LONGEST_NAME else templates.DROPPED
    if rule is templates.DROPPED:
        return ""
    if rule is None:
        # A template that goes over lines is a box, and one that begins its line is followed by the sentence it opens.
        if any("\n" in piece for piece in output[begin + 1 :]):
            return ""
        if not templates.stands_for_a_word(_line_before(output, begin), text[end : end + 40].partition("\n")[0]):
            return ""
        rule = templates.unknown
    return templates.render(rule, "".join(output[begin + 1 :]))


def _line_before(output: list[str], begin: int) -> str:
    """Return up to about 40 characters that stand before output[begin] on its line."""
    before = ""
    for i in range(begin - 1, max(-1, begin - 12), -1):
        before = output[i][-40:] + before
        if "\n" in before or len(before) >= 40:
            break
    return before.rpartition("\n")[2].lstrip("*#:; ")


def _open(stack: list[tuple[str, int]], kind: str) -> int | None:
    """Closes the innermost open bracket of this kind, and with it what is open inside; None if there is none. A table
    is not closed from within a template that it holds, nor the reverse."""
    for depth in range(len(stack) - 1, max(-1, len(stack) - 6), -1):
        if stack[depth][0] == kind:
            start = stack[depth][1]
            del stack[depth:]
            return start
        if stack[depth][0] != "[":
            return None
    return None


def _link(link: str, namespaces: Namespaces) -> str:
    """Return the words that a link shows; none for a file, a category, and a page of another language's wiki.

    A prefix is a language only if it is on the closed list of codes, written in lower case, without a space after its
    colon: `[[de:Vogel]]`, not `[[CSI: Miami]]` nor `[[War: A Memoir]]`.
    """
    target, bar, words = link.partition("|")
    namespace = _NAMESPACE.match(target) if ":" in target else None
    if namespace:
        if target.lstrip().startswith(":"):
            return words if bar else target.strip(" :")
        prefix = namespace[1]
        name = _name(prefix)
        if name in namespaces.files or name in namespaces.categories or _MEDIA.search(target):
            return ""
        rest = target[namespace.end() :]
        if prefix in templates.closed_language_codes() and rest and not rest[0].isspace():
            return ""
    if not bar:
        return target.strip()
    return words if words.strip() else _BESIDE_TITLE.sub("", target)


def _table(table: str) -> str:
    rows: list[str] = []
    words = numbers = cells = 0
    # What follows `{|` on its line are attributes.
    for row in re.split(r"\n[ \t]*\|-[^\n]*", "\n" + table.partition("\n")[2]):
        parts = []
        for cell in re.split(r"\n[ \t]*(?:\|\+|[|!])|\|\||!!", row)[1:]:
            before, bar, after = cell.partition("|")
            value = " ".join((after if bar and "=" in before else cell).split())
            if value:
                parts.append(value)
                cells += 1
                tokens = value.split()
                count = sum(_NUMBER.match(token) is not None for token in tokens)
                numbers += count
                words += len(tokens) - count
        if parts:
            rows.append(" | ".join(parts))
    return "\n" + "\n".join(rows) + "\n" if words >= PROSE_WORDS * max(1, cells) and words > numbers else "\n"


def _lines(text: str) -> str:
    lines: list[str] = []
    numbers: list[int] = []
    heading = -1  # where the last heading stands, if nothing followed it yet
    level = 0
    for raw in text.split("\n"):
        line = _SPACES.sub(" ", raw.rstrip().replace("\xa0", " "))
        first = line[:1]
        marks = min(len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("="))) if first == "=" else 0
        if 0 < marks < len(line) // 2:
            # A section of which nothing is left loses its heading.
            if heading >= 0 and marks <= level:
                del lines[heading:]
            heading, level = len(lines), marks
            lines += ["", line[marks:-marks].strip(), ""]
            numbers = []
            continue
        if first and first in "*#:;" and (match := _LIST.match(line)):
            kinds, line = match[1][:MAX_LEVELS], match[2]
            if not line:
                continue
            depth = len(kinds)
            if kinds[-1] == "#":
                del numbers[depth:]
                numbers += [0] * (depth - len(numbers))
                numbers[depth - 1] += 1
                line = f"{'  ' * (depth - 1)}{numbers[depth - 1]}. {line}"
            else:
                del numbers[depth:]
                if kinds[-1] == "*":
                    line = f"{'  ' * (depth - 1)}- {line}"
                elif kinds[-1] == ":":
                    line = "  " * depth + line
        else:
            numbers = []
            if line.startswith("----"):
                line = line.lstrip("-")
        if line.strip():
            heading = -1
        lines.append(line)
    if heading >= 0:
        del lines[heading:]
    return _BLANK.sub("\n\n", "\n".join(lines)).strip("\n")
