"""Licences that a repository declares without a licence file: in package metadata, and in a section of its README.

Metadata goes before a README. Where several files declare licences, all of them count. What is declared is a name or
an expression; `filters.licence` judges it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from massivetext.readers.licences import identify

__all__ = ["declared_licence", "is_metadata_file", "is_readme"]

_README = re.compile(r"read[-_]?me(?:\.(?:md|markdown|rst|txt|adoc|asciidoc|org|rdoc|pod|textile))?\Z", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*(?P<mark>#{1,6}|={1,6}|\*{1,6}|h[1-6]\.)[ \t]+(?P<title>[^\n]*?)[ \t#=]*$"
    r"|^(?P<under>[^\s][^\n]{0,100})\n(?P<line>[=\-~^\"*#])(?P=line){2,}[ \t]*$",
    re.MULTILINE,
)
_LICENCE_TITLE = re.compile(
    r"\W*(?:\d+\.?\s*)?(?:the\s+)?(?:copyright\s+(?:and|&)\s+)?licen[cs](?:e|es|ing)\b[^\n]{0,40}\Z", re.I
)
_STATEMENT = re.compile(
    r"\b(?:licen[cs]ed|released|distributed|available|published|provided|open[- ]sourced?|is|code)\b[^.\n]{0,60}?"
    r"\bunder\s+(?:the\s+)?(?:terms?\s+(?:of|and\s+conditions\s+of)\s+)?(?:the\s+)?(?:an?\s+)?",
    re.IGNORECASE,
)
_NAMES = (
    ("Apache-2.0", r"apache(?:\s+software)?(?:\s+licen[cs]e)?,?\s*[-(]?\s*(?:version\s+|v\.?\s*)?2(?:\.0)?\)?"),
    ("BSD-3-Clause", r"(?:bsd[- ]3[- ]clause|(?:3|three)[- ]clause\s+bsd|new\s+bsd|modified\s+bsd|revised\s+bsd)"),
    ("BSD-2-Clause", r"(?:bsd[- ]2[- ]clause|(?:2|two)[- ]clause\s+bsd|simplified\s+bsd|freebsd)"),
    ("CC0-1.0", r"(?:cc0(?:[- ]1\.0)?|creative\s+commons\s+zero)(?:\s+v?1\.0)?(?:\s+universal)?"),
    ("Artistic-2.0", r"artistic(?:\s+licen[cs]e)?[- ](?:version\s+)?2(?:\.0)?"),
    ("Unlicense", r"unlicen[cs]e"),
    ("ISC", r"isc"),
    ("MIT", r"(?:mit|expat)(?:/x11|\s+\(expat\))?"),
)
_NAME = re.compile("|".join(rf"(?P<n{i}>\b{pattern})" for i, (_, pattern) in enumerate(_NAMES)), re.IGNORECASE)
_OTHER = re.compile(
    r"\b(?:a?gpl|lgpl|gnu|mozilla|mpl|eclipse|epl|cddl|proprietary|commercial|cc[- ]by|creative\s+commons\s+att\w+|"
    r"non-?commercial|commons\s+clause|bsl|sspl|wtfpl|zlib|boost|cecill|eupl|ms-pl|ofl|dual|except|exception|"
    r"all\s+rights\s+reserved|elastic|polyform)\b",
    re.IGNORECASE,
)
"""Words that name another licence, or say that the named one is not all there is."""
_MARKUP = re.compile(
    r"!?\[([^\]]*)\]\([^)]*\)|!?\[([^\]]*)\]\[[^\]]*\]|`_*([^`<]*?)(?:\s*<[^>]*>)?`_*|<[^>]+>|[*_`]{1,3}"
)
_SECTION = 3000


def is_readme(name: str) -> bool:
    """Whether a file of this name (without folders) is a README."""
    return _README.match(name) is not None


def is_metadata_file(name: str) -> bool:
    """Whether a file of this name (without folders) is package metadata that can declare a licence."""
    lower = name.lower()
    return lower in _READERS or lower.endswith((".gemspec", ".podspec", ".cabal", ".nuspec"))


def declared_licence(name: str, text: str) -> str | None:
    """The licence that a README or a file of package metadata declares, as it is written; None if it declares none."""
    lower = name.lower()
    if is_readme(name):
        return _of_readme(text)
    reader = _READERS.get(lower) or (_of_assignments if lower.endswith((".gemspec", ".podspec")) else _of_headers)
    if lower.endswith(".nuspec"):
        reader = _of_pom
    try:
        values = [value.strip() for value in reader(text) if value.strip()]
    except (ValueError, RecursionError):
        return None
    return _joined(values)


def _joined(values: list[str]) -> str | None:
    """All declared values as one expression; those of several parts in brackets."""
    unique = sorted(set(values))
    if len(unique) < 2:
        return unique[0] if unique else None
    return " AND ".join(f"({value})" if re.search(r"\bOR\b|/", value) else value for value in unique)


def _of_json(text: str) -> Iterator[str]:
    """npm, Bower, Composer: `license` as a name, an object with `type`, or a list, which in these is a choice."""
    row = json.loads(text.removeprefix("\ufeff"))
    if not isinstance(row, dict):
        return
    value = row.get("license", row.get("licence", row.get("licenses")))
    listed = value if isinstance(value, list) else [value]
    names = [item.get("type") or item.get("name") if isinstance(item, dict) else item for item in listed]
    named = [name for name in names if isinstance(name, str) and name.strip()]
    if named:
        yield " OR ".join(f"({name})" if " " in name.strip() and len(named) > 1 else name for name in named)


_TOML_LICENCE = re.compile(
    r"^[ \t]*licen[cs]e[ \t]*=[ \t]*(?:\{[^}\n]*?\btext[ \t]*=[ \t]*)?([\"'])(.{1,200}?)\1", re.MULTILINE
)
_TROVE = re.compile(r"License[ \t]*::[ \t]*[^\n\"',\]]{3,100}")


def _of_toml(text: str) -> Iterator[str]:
    """pyproject.toml and Cargo.toml: `license = "MIT"`, `license = {text = "MIT"}`, trove classifiers."""
    names = [match[2] for match in _TOML_LICENCE.finditer(text)]
    yield from names or _classifiers(text)


def _classifiers(text: str) -> list[str]:
    """Trove classifiers of licences, without what they have in brackets."""
    return [re.sub(r"[ \t]*\([^)]*\)", "", name).strip() for name in _TROVE.findall(text)]


_ASSIGNMENT = re.compile(
    r"^[^\n#]{0,100}?\blicen[cs]es?[ \t]*(?:=>?|:)[ \t]*\[?[ \t]*"
    r"(?:([\"'])([^\"'\n]{1,200})\1|([A-Za-z][^\n\"'(){}\[\],]{0,80}))",
    re.MULTILINE | re.IGNORECASE,
)


def _of_assignments(text: str) -> Iterator[str]:
    """setup.py, setup.cfg and gemspecs: `license="MIT"`, `license = MIT`, `s.license = 'MIT'`, trove classifiers."""
    names = [match[2] or match[3] for match in _ASSIGNMENT.finditer(text)]
    names = [
        name.strip() for name in names if not re.search(r"\.(?:txt|md|rst)\Z|^file:|^license\Z|\(", name.strip(), re.I)
    ]
    yield from names[:1] or _classifiers(text)


def _of_headers(text: str) -> Iterator[str]:
    """PKG-INFO, METADATA, R's DESCRIPTION, cabal files, CITATION.cff, META.yml: a line `License: MIT`."""
    found = re.search(
        r"^License(?:-Expression)?[ \t]*:[ \t]*[\"']?([^\n\"']{1,200})", text, re.MULTILINE | re.IGNORECASE
    )
    value = found[1].strip() if found else ""
    if value and value.upper() != "UNKNOWN":
        yield re.sub(r"\s*\+\s*file\s+LICEN[CS]E\Z", "", value, flags=re.IGNORECASE)
    else:
        yield from _classifiers(text)


def _of_pom(text: str) -> Iterator[str]:
    """Maven's pom.xml: names within `<licenses>`; several are a choice. NuGet: `<license type="expression">`."""
    block = re.search(r"<licenses>(.{0,5000}?)</licenses>", text, re.DOTALL)
    if block:
        names = [name.strip() for name in re.findall(r"<name>\s*([^<]{1,200}?)\s*</name>", block[1])]
        if names:
            yield " OR ".join(f"({name})" if len(names) > 1 else name for name in names)
    elif found := re.search(r"<license\s+type=\"expression\">\s*([^<]{1,200}?)\s*</license>", text):
        yield found[1]


_READERS = {
    **dict.fromkeys(("package.json", "composer.json", "bower.json", "meta.json", "component.json"), _of_json),
    **dict.fromkeys(("pyproject.toml", "cargo.toml"), _of_toml),
    **dict.fromkeys(("setup.py", "setup.cfg"), _of_assignments),
    **dict.fromkeys(("pkg-info", "metadata", "description", "citation.cff", "meta.yml", "pubspec.yaml"), _of_headers),
    "pom.xml": _of_pom,
}


def _of_readme(text: str) -> str | None:
    """The licence of a README: of one that is nothing but a licence, or of its section on licences.

    The section's text must be one of the eight licences, or name one, and no other, in a sentence or alone.
    """
    if (name := identify(text)) is not None:
        return name
    names = set()
    for section in _licence_sections(text):
        name = identify(section) or _named(section)
        if name is None:
            return None
        names.add(name)
    return _joined(sorted(names)) if names else None


def _licence_sections(text: str) -> Iterator[str]:
    """Texts under headings such as `## License`, up to the next heading of the same kind."""
    headings = list(_HEADING.finditer(text))
    for number, heading in enumerate(headings):
        if not _LICENCE_TITLE.match(heading["title"] or heading["under"] or ""):
            continue
        end = len(text)
        for later in headings[number + 1 :]:
            is_deeper = heading["mark"] and later["mark"] and len(later["mark"]) > len(heading["mark"])
            if not is_deeper:
                end = later.start()
                break
        yield text[heading.end() : end].strip()


def _named(section: str) -> str | None:
    """The one licence that a short section names; None if it names none, several, or one of the others."""
    plain = _MARKUP.sub(lambda match: " " + (match[1] or match[2] or match[3] or "") + " ", section[:_SECTION])
    plain = re.sub(r"https?://\S+|\S+@\S+", " ", plain)
    if len(section) > _SECTION or _OTHER.search(plain):
        return None
    found = {
        _NAMES[int(name[1:])][0]
        for match in _NAME.finditer(plain)
        for name, value in match.groupdict().items()
        if value
    }
    if len(found) != 1:
        return None
    is_alone = len(plain.split()) <= 12
    return found.pop() if is_alone or _STATEMENT.search(plain) else None
