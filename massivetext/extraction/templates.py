"""Templates of MediaWiki as the words that they stand for in a sentence, by their own arguments.

No template is expanded: a dump of articles does not contain them. Which arguments of a template are its words is a rule
of its family, in data/wiki-templates.tsv; the functions that such a rule may name are in template_functions.py. A
template of no family is rendered where a sentence needs a word (`stands_for_a_word`), and left out elsewhere.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from massivetext.extraction.template_arguments import Arguments, Rule, closed_language_codes, data_lines, parse
from massivetext.extraction.template_functions import EQUALS, FUNCTIONS, PIPE

__all__ = ["DROPPED", "EQUALS", "PIPE", "Arguments", "Rule", "closed_language_codes", "render", "rule_of"]


LONGEST_UNKNOWN = 120
"""Characters of an argument that may be the words of a template of no family."""

_FIELD = re.compile(r"\{([^{}\[\]]+)\}")


def dropped(arguments: Arguments) -> str:
    """Leave nothing: the rule of notes, maintenance marks, pictures and navigation."""
    return ""


DROPPED: Rule = dropped


def render(rule: Rule, content: str) -> str:
    """Return the words of a template by a rule; `=` and `|` in them are marked, so that they part no arguments."""
    return rule(parse(content)).replace("=", EQUALS)


# The data file ---------------------------------------------------------------------------------------------------


class _Families(NamedTuple):
    exact: dict[str, Rule]
    beginnings: dict[str, Rule]
    endings: tuple[tuple[str, Rule], ...]


@functools.cache
def _families() -> _Families:
    exact: dict[str, Rule] = {}
    beginnings: dict[str, Rule] = {}
    endings: list[tuple[str, Rule]] = []
    for line in data_lines("wiki-templates.tsv"):
        text, _, names = line.partition("\t")
        rule = _compiled(text)
        for name in names.replace("_", "\0").split(" "):
            name = name.replace("\0", " ")
            if name.startswith("*"):
                endings.append((name[1:], rule))
            elif len(name) > 1 and name.endswith("*"):
                beginnings[name[:-1]] = rule
            else:
                exact[name] = rule
    return _Families(exact, beginnings, tuple(endings))


@functools.lru_cache(maxsize=8192)
def rule_of(head: str) -> Rule | None:
    """Return the rule for the name of a template as it is written (up to the first `|`); None for no known family."""
    name = " ".join(head.replace("_", " ").split()).lower()
    for prefix in ("template:", "subst:", "safesubst:"):
        name = name.removeprefix(prefix)
    families = _families()
    rule = families.exact.get(name) or families.exact.get(name.partition(":")[0].strip() if ":" in name else name)
    if rule is not None:
        return rule
    if not name:
        return DROPPED
    for ending, candidate in families.endings:
        if name.endswith(ending):
            return candidate
    for length in range(min(len(name), 30), 0, -1):
        candidate_or_none = families.beginnings.get(name[:length])
        if candidate_or_none is not None:
            return candidate_or_none
    return None


def _compiled(text: str) -> Rule:
    """Return the function of a rule of the data file."""
    if text == "-":
        return DROPPED
    if text.startswith("@"):
        return FUNCTIONS[text[1:]]
    text = text.replace("\\n", "\n")
    alone = _FIELD.fullmatch(text)
    if alone is not None:
        keys = alone[1]
        return lambda arguments: arguments.get(keys)
    fields = _FIELD.findall(text)
    pieces = re.split(r"(\[\[|\]\])", text)

    def fill(arguments: Arguments) -> str:
        if fields and not any(arguments.get(keys) for keys in fields):
            return ""
        return _filled(pieces, arguments)

    return fill


def _filled(pieces: list[str], arguments: Arguments) -> str:
    """Fill the fields of a rule that is split at `[[` and `]]`; leave out what an empty field makes void."""
    levels: list[list[str]] = [[]]
    void = [False]
    for piece in pieces:
        if piece == "[[":
            levels.append([])
            void.append(False)
        elif piece == "]]":
            words = "".join(levels.pop())
            levels[-1].append("" if void.pop() else words)
        else:
            for keys in _FIELD.findall(piece):
                void[-1] = void[-1] or not arguments.get(keys)
            levels[-1].append(_FIELD.sub(lambda field: arguments.get(field[1]), piece))
    return "".join(levels[0])


# Templates of no family ------------------------------------------------------------------------------------------


def unknown(arguments: Arguments) -> str:
    """Return the first argument that can be words of a sentence: short, no language code, address, or file name."""
    codes = closed_language_codes()
    for value in arguments.positional:
        if not value or (value.lower() in codes and len(arguments.positional) > 1):
            continue
        is_word = any(char.isalnum() for char in value)
        if is_word and len(value) <= LONGEST_UNKNOWN and "\n" not in value and "//" not in value:
            return value
    return ""


_BEFORE = re.compile(r"[\w,;:)\]%»”’'\"-]'*[ \xa0]['\"(“‘«]*\Z|[\w,;:] ?[(“‘«][ \xa0]?'*\Z")
_AFTER = re.compile(r"'*(?:[ \xa0]+[^\W\dA-Z_]|,|'s\b)")
_SENTENCE_START = re.compile(r"(?:\A|[.!?][\"”’)]?)[ \xa0]*'*\Z")


def stands_for_a_word(before: str, after: str) -> bool:
    """Whether a sentence needs the words of a template of no family: by the text before it on its line, and after it.

    It does after a space, or an opening bracket or quote, that follows a word or a comma; and at the beginning of a
    sentence if a small letter or a comma comes next. A note or a maintenance mark follows its word without a space, or
    stands after the full stop; a box stands on a line of its own.
    """
    if _BEFORE.search(before) is not None:
        return True
    return _SENTENCE_START.search(before) is not None and _AFTER.match(after) is not None
