"""MediaWiki markup to text: without templates, references, tables of numbers, file captions; headings and lists kept.

Brackets are matched in one pass over the places where one opens or closes, with a stack, so that nested templates,
tables and file captions go as a whole and time is linear. What is left is lines of text with links, emphasis and a few
tags. (mwparserfromhell builds a tree of everything, templates included, and is eight times slower.)
"""

from __future__ import annotations

import re
from html import unescape

from massivetext.text import clean

__all__ = ["to_text"]

PROSE_WORDS = 5.0
"""A table is kept, a line a row, if its cells have at least this many words on average and more words than numbers."""

MAX_LEVELS = 20
"""Lists are indented to this depth."""

MAX_DEPTH = 100
"""Links and tables nested deeper are taken as they stand."""

_NESTED = re.compile(r"\{\{+|\}\}+|(?<![^\n])[ :*#]*\{\||(?<![^\n])[ \t]*\|\}|\[\[|\]\]")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DROPPED = frozenset(
    (
        "ref",
        "math",
        "gallery",
        "timeline",
        "imagemap",
        "score",
        "chem",
        "ce",
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
_VERBATIM = frozenset(("nowiki", "pre", "source", "syntaxhighlight"))
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
_NAMESPACE = re.compile(r"[ \t:]*([^\W\d_][\w\- ]*):", re.UNICODE)
_NUMBER = re.compile(r"[\d.,:%+\-–−/()$€£°]+\Z")

# Names of the file and category namespaces in the languages of the twenty largest Wikipedias. Those of others look like
# interlanguage links, which are dropped by their form.
_FILES = frozenset(
    (
        "file",
        "image",
        "media",
        "datei",
        "bild",
        "fichier",
        "archivo",
        "imagen",
        "immagine",
        "ficheiro",
        "imagem",
        "bestand",
        "afbeelding",
        "plik",
        "grafika",
        "файл",
        "изображение",
        "зображення",
        "ファイル",
        "画像",
        "文件",
        "檔案",
        "圖像",
        "图像",
        "ملف",
        "صورة",
        "پرونده",
        "תמונה",
        "קובץ",
        "fil",
        "tiedosto",
        "kuva",
        "soubor",
        "fájl",
        "kép",
        "dosya",
        "tập_tin",
        "hình",
        "berkas",
        "gambar",
        "картинка",
        "파일",
        "그림",
        "fişier",
        "imatge",
        "fitxer",
        "slika",
        "датотека",
        "слика",
        "αρχείο",
    )
)
_CATEGORIES = frozenset(
    (
        "category",
        "kategorie",
        "catégorie",
        "categoría",
        "categoria",
        "kategoria",
        "категория",
        "категорія",
        "カテゴリ",
        "分类",
        "分類",
        "تصنيف",
        "رده",
        "קטגוריה",
        "kategori",
        "categorie",
        "luokka",
        "kategória",
        "thể_loại",
        "분류",
        "kategorija",
        "категорија",
        "κατηγορία",
    )
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,12}){0,2}\Z|simple\Z")


def to_text(markup: str) -> str:
    """The prose of a page in MediaWiki markup.

    Headings stand on lines of their own between blank lines; list items start with `- ` or a number, indented by two
    spaces a level; paragraphs are parted by blank lines. Markup that is not closed costs at most the rest of its line.
    """
    text = clean(markup)
    verbatim: list[str] = []
    if "<" in text:
        text = _without_elements(_COMMENT.sub("", text), verbatim)
    text = _without_nested(text)
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
            newline = "" if name == "nowiki" else "\n"
            output.append(f"{newline}\0{len(verbatim)}\0{newline}")
            verbatim.append(content.strip("\n") if newline else content)
        position = close.end()
    output.append(text[position:])
    return "".join(output)


def _without_nested(text: str) -> str:
    """Text without templates, file captions and tables of numbers; links replaced by their words.

    The stack holds, for each bracket that is open, its kind, where it stands in the output, and that output's length.
    """
    output: list[str] = []
    stack: list[tuple[str, int]] = []
    position = 0
    for match in _NESTED.finditer(text):
        output.append(text[position : match.start()])
        position = match.end()
        mark = match[0]
        if mark[0] == "{" and mark[-1] == "{":
            stack.extend(("{", len(output) + i) for i in range(len(mark) // 2))
            output.extend(["{{"] * (len(mark) // 2))
        elif mark == "[[" and len(stack) < MAX_DEPTH:
            stack.append(("[", len(output)))
            output.append(mark)
        elif mark == "]]":
            if stack and stack[-1][0] == "[":
                _, start = stack.pop()
                link = "".join(output[start + 1 :])
                del output[start:]
                output.append(_link(link))
            else:
                output.append(mark)
        elif mark[0] == "}":
            for _ in range(len(mark) // 2):
                template = _open(stack, "{")
                if template is None:
                    break
                del output[template:]
        elif mark.endswith("{|") and len(stack) < MAX_DEPTH:
            stack.append(("|", len(output)))
            output.append("\n")
        else:
            begin = _open(stack, "|") if mark.endswith("|}") else None
            if begin is None:
                output.append(mark)
            else:
                table = "".join(output[begin + 1 :])
                del output[begin:]
                output.append(_table(table))
    output.append(text[position:])
    # What never closed: the mark goes, and of a template or table the line that it begins.
    for kind, start in stack:
        output[start] = ""
        if kind != "[" and start + 1 < len(output):
            _, newline, rest = output[start + 1].partition("\n")
            output[start + 1] = newline + rest
    return "".join(output)


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


def _link(link: str) -> str:
    target, bar, words = link.partition("|")
    namespace = _NAMESPACE.match(target)
    if namespace:
        name = namespace[1].strip().lower().replace(" ", "_")
        if target.lstrip().startswith(":"):
            return words if bar else target.strip(" :")
        if name in _FILES or name in _CATEGORIES or _LANGUAGE.match(name):
            return ""
    if not bar:
        return target.strip()
    return words if words.strip() else re.sub(r"\s{0,9}\([^()]*\)\Z|\A[^:]*:", "", target)


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
