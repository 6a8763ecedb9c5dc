"""Test sets as files: which text is an item. JSONL by a template, text by line or by file, presets for known layouts.

Items are numbered within their set from 0, in the order of files (sorted) and records, whether or not they are long
enough to be searched for.
"""

from __future__ import annotations

import io
import json
import os
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from massivetext import storage
from massivetext.contamination.choices import (
    OPTION_FIELDS,
    QUESTION_FIELDS,
    choice_readings,
    options_of,
    plain_text,
    question_of,
)
from massivetext.contamination.wikitext import articles, heading, untokenised
from massivetext.errors import RecipeError, SourceError
from massivetext.readers import compression
from massivetext.suggestions import did_you_mean
from massivetext.text import clean, decode

__all__ = ["PRESETS", "Item", "TestSet", "headings", "read_items"]

_KNOWN_FIELDS = ("passage", "context", "ctx", "question", "query", "choices", "options", "endings", "answer")
_FIELD = re.compile(r"(?!\d+\Z)\w+")


@dataclass(frozen=True, slots=True)
class TestSet:
    """Where a test set stands and what its items are.

    name: what the ledger calls it. path: a file, a folder or a pattern.
    text: for records, a template over their fields: "{question} {answer}". A list is joined by spaces, a mapping gives
        the values of `text` if it has that key, else all its values. A field that a record lacks is empty. Several
        templates make several readings of each item, which is found if one of them is.
    unit: "record" (JSONL, and what a preset calls one), "line" or "file" (text).
    preset: a known layout; see PRESETS.
    """

    name: str
    path: str | os.PathLike[str]
    text: str | tuple[str, ...] | None = None
    unit: str | None = None
    preset: str | None = None

    # Not a class of tests, whatever its name says to pytest.
    __test__ = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))
        if self.preset is not None and self.preset not in PRESETS:
            hint = did_you_mean(self.preset, PRESETS)
            raise RecipeError(
                f"testsets.{self.name}.preset: {self.preset!r}; expected one of {', '.join(PRESETS)}{hint}"
            )
        if self.unit not in (None, "record", "line", "file"):
            raise RecipeError(f"testsets.{self.name}.unit: {self.unit!r}; expected record, line or file")
        if self.text is not None:
            if self.preset is not None or self.unit in ("line", "file"):
                raise RecipeError(f"testsets.{self.name}.text: a template is for records; take out `preset` and `unit`")
            if isinstance(self.text, list):
                object.__setattr__(self, "text", tuple(self.text))
            if not self.text:
                raise RecipeError(f"testsets.{self.name}.text: {self.text!r}; expected a template, or a list of them")
            for template in _templates(self.text):
                if not _template_fields(self.name, template):
                    raise RecipeError(
                        f"testsets.{self.name}.text: {template!r} names no field; expected e.g. '{{text}}'"
                    )

    @classmethod
    def of(cls, entry: TestSet | Mapping[str, Any] | Any) -> TestSet:
        """From a mapping, or from an object, with these names (an entry of a recipe)."""
        if isinstance(entry, TestSet):
            return entry
        get = entry.get if isinstance(entry, Mapping) else lambda key: getattr(entry, key, None)
        for key in ("name", "path"):
            if not get(key):
                raise RecipeError(f"testsets: {entry!r} has no {key!r}; expected name and path")
        return cls(str(get("name")), str(get("path")), get("text"), get("unit"), get("preset"))

    @staticmethod
    def name_of(path: str) -> str:
        """The file's name without what says its format."""
        return re.sub(r"(\.(gz|bz2|xz|zst|lz4|jsonl|ndjson|json|txt|text|raw|tokens))+$", "", path.rpartition("/")[2])

    @classmethod
    def guess(cls, path: str) -> TestSet:
        """A test set without a recipe: JSONL by its first character, and MMLU, GSM8K and HellaSwag by the fields of its
        first record; WikiText and HellaSwag by their first lines, any other text by line. Records of no known layout
        give `text`, else every field of a usual name, joined."""
        name = cls.name_of(path)
        head = [line for _, line in zip(range(200), _lines(path))]
        first = next((line.strip() for line in head if line.strip()), "")
        if first.startswith("{"):
            return cls(name, path, preset=_preset_of(next(_records(path))[0]))
        if heading(first) is not None:
            return cls(name, path, preset="wikitext")
        if len(head) >= 6 and all(re.fullmatch(r"[0-3]\n", line) for line in head[1::6]):
            return cls(name, path, preset="hellaswag")
        return cls(name, path, unit="line")


@dataclass(frozen=True, slots=True)
class Item:
    """One test item, and what it was made from: the records or lines of its file as they stand there.

    readings: the texts as which it is searched for, at least one, all different.
    """

    readings: tuple[str, ...]
    raw: str
    file: str

    @property
    def text(self) -> str:
        """The first reading."""
        return self.readings[0]


def read_items(testset: TestSet) -> Iterator[Item]:
    """The items of a test set, in order. Raises SourceError for a file or record that cannot be read, naming it, and
    RecipeError where there is no file, or a field of the template that no record has."""
    paths = storage.find(os.fspath(testset.path))
    if not paths:
        raise RecipeError(f"testsets.{testset.name}.path: no file at {testset.path!r}")
    layout = PRESETS.get(testset.preset or "")
    text = layout if isinstance(layout, str) else testset.text
    templates = [_Template(testset.name, template) for template in (_templates(text) if text is not None else (None,))]
    for path in paths:
        items = layout(testset, path) if callable(layout) else _items_of(testset, path, templates)
        for item in items:
            readings = item.readings
            if testset.preset != "wikitext":
                # Lines are clean as they are decoded, and those of WikiText hold UNKNOWN; JSON may escape what is not.
                readings = tuple(map(clean, readings))
            yield Item(tuple(dict.fromkeys(readings)), item.raw, item.file)
    for template in templates:
        template.check()


def headings(path: str) -> list[str]:
    """Titles of the articles in WikiText files, still tokenised, in order; spec section 7's pages to leave out."""
    paths = storage.find(path)
    if not paths:
        raise RecipeError(f"titles: no file at {path!r}")
    return [title for file in paths for title, _ in articles(_lines(file)) if title]


def _items_of(testset: TestSet, path: str, templates: Sequence[_Template]) -> Iterator[Item]:
    if testset.unit == "line":
        for line in _lines(path):
            if item := line.strip():
                yield Item((item,), line, path)
    elif testset.unit == "file":
        text = "".join(_lines(path))
        yield Item((text,), text, path)
    else:
        for record, line in _records(path):
            yield Item(tuple(template.text_of(record) for template in templates), line, path)


def _lines(path: str) -> Iterator[str]:
    """Lines with their ends, decompressed and decoded by the readers' rules."""
    with storage.open_input(path) as stream:
        pending = b""
        first = True
        for block in chain(compression.blocks(stream, source=path), [None]):
            pending += b"" if block is None else block.data or b""
            if block is None:
                lines, pending = [pending] if pending else [], b""
            else:
                *lines, pending = pending.split(b"\n")
                lines = [line + b"\n" for line in lines]
            for line in lines:
                # U+FEFF is a byte order mark at the start of the file only.
                text = decode(line)[0] if first else decode(b"\n" + line)[0][1:]
                first = False
                yield text


def _records(path: str) -> Iterator[tuple[dict[str, Any], str]]:
    """(record, its line) of each line of JSON that is not blank."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}: line {number} is not JSON ({error}); mend the test set") from error
        except RecursionError as error:
            raise SourceError(f"{path}: line {number} is nested too deep; mend the test set") from error
        if not isinstance(record, dict):
            raise SourceError(f"{path}: line {number} is {type(record).__name__}, not an object; mend the test set")
        yield record, line


def _templates(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _template_fields(name: str, template: str) -> list[str]:
    try:
        found = [piece[1:] for piece in string.Formatter().parse(template) if piece[1] is not None]
    except ValueError as error:
        raise RecipeError(f"testsets.{name}.text: {template!r} is no template: {error}") from error
    for field, spec, conversion in found:
        if spec or conversion or not _FIELD.fullmatch(field or ""):
            raise RecipeError(f"testsets.{name}.text: {{{field}}} in {template!r}; expected a field's name in braces")
    return [field for field, _, _ in found if field]


class _Template:
    """Makes items of records, and knows in the end which of its fields no record had: a misspelt one would leave the
    items short without a word. Without a template an item is `text`, else the fields of usual names."""

    def __init__(self, name: str, template: str | None) -> None:
        self.name = name
        self.template = template
        self.fields = ["text", *_KNOWN_FIELDS] if template is None else _template_fields(name, template)
        self.seen: set[str] = set()
        self.first: list[str] | None = None

    def text_of(self, record: Mapping[str, Any]) -> str:
        if self.first is None:
            self.first = list(record)
        if len(self.seen) < len(self.fields):
            self.seen |= record.keys() & set(self.fields)
        if self.template is not None:
            return self.template.format(**{field: plain_text(record.get(field)) for field in self.fields}).strip()
        if "text" in record:
            return plain_text(record["text"])
        return " ".join(plain_text(record[field]) for field in _KNOWN_FIELDS if field in record)

    def check(self) -> None:
        """Raise RecipeError for a field that no record had; without a template if there was none of the usual ones."""
        missing = [field for field in self.fields if field not in self.seen]
        if self.first is None or not missing or (self.template is None and self.seen):
            return
        raise RecipeError(
            f"testsets.{self.name}.text: no record has {', '.join(map(repr, missing))}; "
            f"the first one has {', '.join(map(repr, self.first))}: name those that make the item"
        )


def _preset_of(record: Mapping[str, Any]) -> str | None:
    """The known layout that a record is of."""
    fields = record.keys()
    if "question" in fields and not fields & {"passage", "context", "article"}:
        if isinstance(record["question"], Mapping) or isinstance(record.get("choices"), Mapping):
            return "arc"
        if fields & {"choices", "eval_instance_index"}:
            return "mmlu"
        if "options" in fields:
            return "multiple_choice"
    if fields >= {"ctx", "endings", "label"}:
        return "hellaswag"
    if fields == {"question", "answer"} and "#### " in str(record["answer"]):
        return "gsm8k"
    return None


def _mmlu(testset: TestSet, path: str) -> Iterator[Item]:
    """One item a question, with its choices: from records that hold `choices`, or from runs of records with one
    question that hold one choice each in `answer`."""
    for _, group in groupby(_records(path), lambda pair: (pair[0].get("eval_instance_index"), pair[0].get("question"))):
        pairs = list(group)
        records = [record for record, _ in pairs]
        if "choices" in records[0]:
            for record, line in pairs:
                readings = choice_readings(question_of(record) or "", options_of(record) or [])
                yield Item(readings, line, path)
        else:
            choices = [plain_text(record.get("answer")) for record in records]
            readings = choice_readings(plain_text(records[0].get("question")), choices)
            yield Item(readings, "".join(line for _, line in pairs), path)


def _multiple_choice(testset: TestSet, path: str) -> Iterator[Item]:
    """One item a record that holds a question and its options in fields of usual names (see `choices`)."""
    for record, line in _records(path):
        question, options = question_of(record), options_of(record)
        if question is None or options is None:
            raise SourceError(
                f"{path}: a record has {', '.join(map(repr, record))}; preset {testset.preset} expects a question in "
                f"one of {', '.join(QUESTION_FIELDS)} and options in one of {', '.join(OPTION_FIELDS)}: use `text`"
            )
        yield Item(choice_readings(question, options), line, path)


def _hellaswag(testset: TestSet, path: str) -> Iterator[Item]:
    """The context with its right ending, with all endings, and alone where it has 13 words; from records (`ctx`,
    `endings`, `label`) or from text of six lines an item (context, number of the right ending, four endings)."""
    lines = _lines(path)
    head = next(lines, "")
    if head.lstrip().startswith("{"):
        for record, line in _records(path):
            yield _with_endings(path, line, record.get("ctx"), record.get("endings"), record.get("label"))
        return
    block: list[str] = []
    for number, line in enumerate(chain([head], lines), 1):  # noqa: B007
        block.append(line)
        if len(block) == 6:
            endings = [ending.strip() for ending in block[2:]]
            yield _with_endings(path, "".join(block), block[0].strip(), endings, block[1].strip())
            block = []
    if any(line.strip() for line in block):
        raise SourceError(f"{path}: ends at line {number} within an item; HellaSwag has six lines an item")


def _with_endings(path: str, raw: str, context: Any, endings: Any, label: Any) -> Item:
    is_number = re.fullmatch(r"[0-9]{1,9}", str(label)) is not None
    if not isinstance(endings, list) or not is_number or int(label) >= len(endings):
        raise SourceError(
            f"{path}: an item with label {label!r:.60}: {plain_text(context)[:60]!r}; expected an ending's number"
        )
    question, options = plain_text(context), [plain_text(ending) for ending in endings]
    return Item((f"{question} {options[int(label)]}", *choice_readings(question, options)), raw, path)


def _wikitext(testset: TestSet, path: str) -> Iterator[Item]:
    """A paragraph each by default; with unit `record` an article each."""
    if testset.unit == "record":
        for _, text in articles(_lines(path)):
            yield Item(("\n".join(map(untokenised, io.StringIO(text))),), text, path)
    else:
        for line in _lines(path):
            if line.strip():
                yield Item((untokenised(line),), line, path)


PRESETS: dict[str, str | Callable[[TestSet, str], Iterable[Item]]] = {
    "gsm8k": "{question}",
    "hellaswag": _hellaswag,
    "lambada": "{text}",
    "mmlu": _mmlu,
    "wikitext": _wikitext,
    "arc": _multiple_choice,
    "multiple_choice": _multiple_choice,
}
"""Known layouts. mmlu, arc, multiple_choice: the question with all its options, plain and lettered, and alone where it
has 13 words. gsm8k: the question (the answer's calculator marks differ from copy to copy). hellaswag: the context with
its right ending, and as mmlu. lambada: the passage. wikitext: paragraphs, with unit `record` articles."""
