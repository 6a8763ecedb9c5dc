"""Multiple-choice items: the readings in which a question and its options stand on the web.

A record may have the layout of MMLU (`question`, `choices`), of ARC (`question` with `stem` and labelled `choices`, or
`choices` with `text` and `label`), of HellaSwag (`ctx`, `endings`), or of another set with fields of usual names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import numpy as np

from massivetext.contamination.index import LEAST_WORDS
from massivetext.contamination.words import located_words
from massivetext.dedup.shingles import SHINGLE_WORDS

__all__ = ["OPTION_FIELDS", "QUESTION_FIELDS", "choice_readings", "options_of", "plain_text", "question_of"]

QUESTION_FIELDS = ("question", "question_stem", "stem", "query", "goal", "sentence", "ctx", "prompt", "input")
"""Fields that hold the question, the first that a record has."""

OPTION_FIELDS = ("choices", "options", "endings", "answers", "candidates")
"""Fields that hold all options, the first that a record has."""

_SINGLE_OPTIONS = (
    ("A", "B", "C", "D", "E"),
    ("answerA", "answerB", "answerC"),
    ("option1", "option2", "option3", "option4"),
    ("sol1", "sol2"),
    ("opa", "opb", "opc", "opd"),
    ("correct_answer", "distractor1", "distractor2", "distractor3"),
)
"""Fields that hold one option each."""

_MOST_NAMED = 5
"""Items of more options are not searched for with the names of fields."""


def plain_text(value: Any) -> str:
    """Return the text of a field's value. A list is joined by spaces. A mapping has the text of its key `text`; without
    that key all its values are joined."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return plain_text(value["text"]) if "text" in value else " ".join(map(plain_text, value.values()))
    if isinstance(value, list):
        return " ".join(map(plain_text, value))
    return str(value)


def question_of(record: Mapping[str, Any]) -> str | None:
    """Return the question of a record, None where it has no field that holds one."""
    for field in QUESTION_FIELDS:
        if field in record:
            value = record[field]
            return plain_text(value["stem"] if isinstance(value, Mapping) and "stem" in value else value)
    return None


def options_of(record: Mapping[str, Any]) -> list[str] | None:
    """Return the options of a record in their order, None where it has no fields that hold them."""
    stem = record.get("question")
    for fields in (record, stem if isinstance(stem, Mapping) else {}):
        for field in OPTION_FIELDS:
            if field in fields:
                return _listed(fields[field])
    for names in _SINGLE_OPTIONS:
        if names[0] in record and names[1] in record:
            return [plain_text(record[name]) for name in names if name in record]
    return None


def _listed(value: Any) -> list[str]:
    """The options of one field: a list of texts or of {label, text}, or a mapping of `text` or of labels to texts."""
    if isinstance(value, Mapping):
        value = value["text"] if "text" in value else list(value.values())
    return [plain_text(option) for option in value] if isinstance(value, list) else [plain_text(value)]


def choice_readings(question: str, options: Sequence[str]) -> tuple[str, ...]:
    """Return the readings of a multiple-choice item.

    Args:
        question: The question, or the context that an ending completes.
        options: All options, in the order of the test set.

    Returns:
        The question with its options, one after another; the same with a letter before each option, as web pages and
        prompts have them (`A. ... B. ...`); and the question alone where it has at least 13 words, else its record as
        data files in ARC's layout have it.
    """
    plain = f"{question} {' '.join(options)}"
    readings = [plain]
    if 1 < len(options) <= len(ascii_uppercase):
        lettered = " ".join(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options))
        readings.append(f"{question} {lettered}")
    if len(located_words(question).hashes) >= SHINGLE_WORDS:
        readings.append(question)
    # Names of fields must not make an item long enough, nor be most of any passage of it: all records share them.
    elif 1 < len(options) <= _MOST_NAMED and np.count_nonzero(located_words(plain).telling) >= LEAST_WORDS:
        named = " ".join(f"text {option} label {letter}" for letter, option in zip(ascii_uppercase, options))
        readings.append(f"{question} choices {named}")
    return tuple(readings)
