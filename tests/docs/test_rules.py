"""The worked examples of docs/rules.md, and that no rule of the spec is missing there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pytest

from filters import c4, quality, repetition
from filters.limits import Limit
from tests.docs.lines import programs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text("utf-8")
NAMES = [[field.name for field in fields(family.Limits)] for family in (quality, repetition)]


def examples(n_values: int) -> list[tuple[str, str, list[float]]]:
    """Rows `signal`, text, values of that number, reason."""
    row = re.compile(r"^\| `(\w+)` \| `([^`]*)`" + r" \| (\d*\.?\d+)" * n_values + r" \| [^|]+ \|$", re.MULTILINE)
    found = []
    for name, text, *values in row.findall(PAGE):
        found.append((name, text.replace("\\n", "\n"), [float(value) for value in values]))
    return found


@pytest.mark.parametrize(("name", "text", "values"), examples(1), ids=lambda value: str(value)[:40])
def test_quality_as_worked_out(name: str, text: str, values: list[float]) -> None:
    measured = quality.measure(pa.array([text]))

    assert values == [round(measured.column(name)[0].as_py(), 4)]


@pytest.mark.parametrize(("name", "text", "values"), examples(2), ids=lambda value: str(value)[:40])
def test_repetition_as_worked_out(name: str, text: str, values: list[float]) -> None:
    texts = pa.array([text])
    measured = [repetition.measure(texts, count_duplicates=mode).column(name)[0].as_py() for mode in ("all", "repeats")]

    assert values == [round(value, 4) for value in measured]


def test_the_programs_of_the_page_run() -> None:
    first, second = programs(PAGE)
    names: dict[str, object] = {}
    *lines, last = first.strip().split("\n")
    exec("\n".join([*lines, f"broken = {last}"]), names)

    assert ["word_count", "stop_word_count"] == names["broken"]

    names = {}
    exec(second, names)
    shown = re.findall(r"^(cleaned\S.*?\S) {4,}# (.*)$", second, re.MULTILINE)

    assert 2 == len(shown)
    for expression, value in shown:
        assert value == repr(eval(expression, names))


def test_the_rules_of_lines_and_their_defaults_are_stated() -> None:
    for name in c4.LINE_COUNTS[1:]:
        assert f"`{name}`" in PAGE
    for field in fields(c4.LineRules):
        assert f"`{field.name}: {str(field.default).lower()}`" in PAGE


def test_every_rule_has_a_definition_its_limit_and_an_example() -> None:
    assert NAMES[0] == [name for name, _, _ in examples(1)]
    assert NAMES[1] == [name for name, _, _ in examples(2)]
    for family, names in zip((quality, repetition), NAMES):
        for name in names:
            stated = re.search(
                rf"^\| `{name}` \| .* \| (?:(<=|>=) )?([\d.,]+)(?: to ([\d.,]+))? \|$", PAGE, re.MULTILINE
            )
            assert stated is not None, name
            sign, *numbers = stated.groups()
            low, high = (float(number.replace(",", "")) if number else None for number in numbers)
            limits = {"<=": Limit(max=low), ">=": Limit(min=low), None: Limit(low, high)}
            assert getattr(family.Limits(), name) == limits[sign], name
