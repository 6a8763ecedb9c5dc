"""Licences of code: the eight that the paper keeps (appendix A, "GitHub"), whatever way a source writes them.

A source names licences by SPDX id, by GitHub's lower-case id, by a common name, as a list, or as an SPDX expression.
Where it names none, the reader has told the licence from the repository's licence file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ALLOWED", "broken", "canonical", "is_allowed", "measure"]

ALLOWED = ("Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "Unlicense", "CC0-1.0", "ISC", "Artistic-2.0")
"""SPDX ids. Anything else, or nothing, is dropped."""

_NAMES = {
    "Apache-2.0": "apache 2|apache 2.0|apache v2|apache v2.0|apache2|apache2.0|asl 2.0|apache version 2.0|"
    "apache software 2.0|apache software version 2.0",
    "MIT": "mit|expat|mit expat|mit/expat",
    "BSD-3-Clause": "bsd 3 clause|bsd 3clause|bsd3|bsd3clause|3 clause bsd|new bsd|modified bsd|revised bsd|bsd new|"
    'bsd 3 clause new or revised|bsd 3 clause "new" or "revised"',
    "BSD-2-Clause": "bsd 2 clause|bsd 2clause|bsd2|bsd2clause|2 clause bsd|simplified bsd|bsd simplified|"
    'bsd 2 clause simplified|bsd 2 clause "simplified"',
    "Unlicense": "un",  # what is left of "Unlicense" and "The Unlicense"
    "CC0-1.0": "cc0|cc0 1.0|cc0 1.0 universal|cc zero|creative commons zero v1.0 universal|"
    "creative commons zero 1.0 universal",
    "ISC": "isc",
    "Artistic-2.0": "artistic 2|artistic 2.0|artistic version 2.0|perl artistic 2.0",
}
_ALIASES = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split("|")}
_TROVE_NAMES = {
    "mit license": "MIT",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "the unlicense (unlicense)": "Unlicense",
    "the unlicense": "Unlicense",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "cc0 1.0 universal public domain dedication": "CC0-1.0",
    "mit": "MIT",
    "apache software license 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "artistic-2.0": "Artistic-2.0",
}
"""What the classifiers of PyPI mean that name one licence, also without their brackets; the last six are not PyPI's,
but are written."""
_FILLING = re.compile(
    r"\b(?:the|licen[cs]e|general public)\b|licen[cs]e\b|,|\((?:the )?[^()]*licen[cs]e[^()]*\)|\((?:mit|isc|expat)\)"
)
_OPERATOR = re.compile(r"\s*(?<![\w-])(AND|OR|WITH|and|or|with)(?![\w-])\s*|\s*([;,()|])\s*|(?<=[\w.])/(?=[A-Z])")


_TROVE = re.compile(r"License\s*::\s*(?:OSI Approved\s*::\s*)?((?:(?! (?:AND|OR|WITH) )[^;,|])+)", re.IGNORECASE)
_ADDRESSES = {
    "Apache-2.0": r"apache\.org/licenses/license-2\.0|opensource\.org/licen[cs]es?/apache-2\.0",
    "MIT": r"opensource\.org/licen[cs]es?/mit(?:-license)?|mit-license\.org",
    "BSD-3-Clause": r"opensource\.org/licen[cs]es?/bsd-3-clause",
    "BSD-2-Clause": r"opensource\.org/licen[cs]es?/bsd-2-clause",
    "Unlicense": r"unlicense\.org|opensource\.org/licen[cs]es?/unlicense",
    "CC0-1.0": r"creativecommons\.org/publicdomain/zero/1\.0(?:/(?:legalcode|deed)(?:\.\w+)?)?",
    "ISC": r"opensource\.org/licen[cs]es?/isc(?:-license)?",
    "Artistic-2.0": r"opensource\.org/licen[cs]es?/artistic(?:-license)?-2\.0",
}
_ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:spdx\.org/licen[cs]es/(?P<spdx>[\w.+-]+?)"
    + "".join(rf"|(?P<a{i}>{address})" for i, address in enumerate(_ADDRESSES.values()))
    + r")(?:\.(?:html?|txt|php|json))?/?\Z",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The SPDX id that a name of one licence means, or the name itself (stripped) if it is none of the eight.

    A name may be a trove classifier (`License :: OSI Approved :: MIT License`) or the address of a licence's page. The
    classifiers that leave the version open (Apache, BSD, Artistic) mean none of the eight.
    """
    if trove := _TROVE.fullmatch(name.strip()):
        name_of = _TROVE_NAMES.get(" ".join(trove[1].lower().split()))
        return name_of or name.strip()
    if "://" in name and (address := _ADDRESS.fullmatch(name.strip())):
        if address["spdx"]:
            name = address["spdx"]
        else:
            return next(spdx for i, spdx in enumerate(_ADDRESSES) if address[f"a{i}"])
    word = _FILLING.sub(" ", name.strip().lower())
    word = " ".join(word.replace("-", " ").replace("_", " ").split())
    return _ALIASES.get(word, name.strip())


def is_allowed(expression: str, allowed: Collection[str] = ALLOWED) -> tuple[str | None, bool]:
    """(the expression with the names in it made canonical, whether it lets the code be kept).

    AND, a comma or a semicolon: both must be allowed. OR, a slash or a bar: one is enough, as the user may choose. WITH
    names an exception, and the two together are another licence. What cannot be parsed is not allowed. It is the
    canonical expression that is judged, so that a ledger, which holds that one, gives the same verdict.
    """
    written = _written(expression)
    if written is None or written in _NAMES or _is_one_name(written):
        return written, written in allowed
    try:
        verdict, rest = _either(_tokens(written), allowed)
    except (IndexError, RecursionError):
        verdict, rest = False, []
    return written, verdict and not rest


def _is_one_name(expression: str) -> bool:
    """Whether an expression is one classifier or one address, in which brackets and slashes are no operators."""
    return bool(_TROVE.fullmatch(expression.strip()) or re.fullmatch(r"\s*\w+://\S+\s*", expression))


def _written(expression: str) -> str | None:
    """The expression in the form that stays as it is when it is read again; None for nothing, or what has no such."""
    for _ in range(8):
        if len(expression) > 4096:
            return None
        written = canonical(expression)
        if written not in _NAMES and not _is_one_name(expression):
            written = " ".join(_tokens(expression)).replace("( ", "(").replace(" )", ")")
        if written == expression:
            return written or None
        expression = written
    return None


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    for found in _OPERATOR.finditer(expression):
        tokens.append(canonical(expression[at : found.start()]))
        word = (found[1] or found[2] or "/").upper()
        tokens.append({",": "AND", ";": "AND", "|": "OR", "/": "OR"}.get(word, word))
        at = found.end()
    tokens.append(canonical(expression[at:]))
    return [token for token in tokens if token]


def _either(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    verdict, rest = _both(tokens, allowed)
    while rest and rest[0] == "OR":
        more, rest = _both(rest[1:], allowed)
        verdict = verdict or more
    return verdict, rest


def _both(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    verdict, rest = _one(tokens, allowed)
    while rest and rest[0] == "AND":
        more, rest = _one(rest[1:], allowed)
        verdict = verdict and more
    return verdict, rest


def _one(tokens: list[str], allowed: Collection[str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        verdict, rest = _either(tokens[1:], allowed)
        return verdict and rest[0] == ")", rest[1:]
    verdict, rest = tokens[0] in allowed, tokens[1:]
    if rest and rest[0] == "WITH":
        return False, rest[2:]
    return verdict, rest


def measure(licences: pa.Array | pa.ChunkedArray, *, allowed: Collection[str] = ALLOWED) -> pa.RecordBatch:
    """Columns `licence` (SPDX ids in canonical form, or the source's own word; null for none) and `licence_allowed`,
    one row per value. Null and empty values are not allowed."""
    names: list[str | None] = []
    verdicts: list[bool] = []
    chosen = tuple(sorted(allowed))
    for value in licences.to_pylist():
        name, verdict = _judged(value, chosen) if value else (None, False)
        names.append(name)
        verdicts.append(verdict)
    return pa.RecordBatch.from_arrays(
        [pa.array(names, pa.string()), pa.array(verdicts, pa.bool_())], names=["licence", "licence_allowed"]
    )


def broken(licences: pa.Array, allowed: Collection[str] = ALLOWED) -> np.ndarray:
    """bool[n]: True where a licence, the source's or `measure`'s, is none, or does not let the code be kept."""
    encoded = licences.dictionary_encode()
    chosen = tuple(sorted(allowed))
    verdicts = np.array([not (name and _judged(name, chosen)[1]) for name in encoded.dictionary.to_pylist()], bool)
    codes = pc.fill_null(encoded.indices, len(verdicts)).to_numpy(zero_copy_only=False)
    return np.append(verdicts, True)[codes]


@functools.lru_cache(maxsize=4096)
def _judged(value: str, allowed: tuple[str, ...]) -> tuple[str | None, bool]:
    return is_allowed(value, allowed)
