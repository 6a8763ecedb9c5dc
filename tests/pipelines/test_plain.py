"""A chain without Beam does what Beam does with the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

import apache_beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines import plain


def chain(words: Any, calls: list[str] | None = None, fails_at: int | None = None) -> Any:
    """A transform in Beam's words, or in those of `plain`: numbers by their parity, with a last one at the end."""

    class Double(words.DoFn):
        def setup(self) -> None:
            self.sum = 0

        def process(self, element: int) -> Iterator[tuple[str, int]]:
            if element == fails_at:
                raise ValueError(f"no {element}")
            self.sum += element
            for n in (element, 2 * element):
                note(f"double {n}")
                yield "even" if n % 2 == 0 else "odd", n

        def finish_bundle(self) -> Iterator[Any]:
            yield words.transforms.window.GlobalWindows.windowed_value(("sum", self.sum))

        def teardown(self) -> None:
            note("teardown")

    class Skip(words.DoFn):
        def process(self, element: tuple[str, int]) -> list[tuple[str, int]] | None:
            note(f"skip {element[1]}")
            return None if element[1] == 4 else [element]

    class Add(words.DoFn):
        def process(self, element: tuple[str, Iterable[int]]) -> Iterator[tuple[str, list[int]]]:
            yield element[0], sorted(element[1])

    class Sums(words.PTransform):
        def expand(self, numbers: Any) -> Any:
            pairs = numbers | "Double" >> words.ParDo(Double()).with_output_types(tuple[str, int]) | words.ParDo(Skip())
            return pairs | words.GroupByKey() | "Add" >> words.ParDo(Add())

    def note(call: str) -> None:
        if calls is not None:
            calls.append(call)

    return Sums()


EXPECTED = [("odd", [1, 3]), ("even", [2, 2, 6]), ("sum", [6])]


@pytest.mark.parametrize("words", [apache_beam, plain])
def test_both_make_the_same_of_a_chain(words: ModuleType) -> None:
    if words is plain:
        results = plain.perform(chain(plain), [1, 2, 3])

        assert EXPECTED == results
    else:
        with TestPipeline(runner="FnApiRunner") as pipeline:
            assert_that(pipeline | apache_beam.Create([1, 2, 3]) | chain(apache_beam), equal_to(EXPECTED))


def test_an_element_goes_through_all_functions_before_the_next_one() -> None:
    calls: list[str] = []
    plain.perform(chain(plain, calls), [1, 3])

    assert ["double 1", "skip 1", "double 2", "skip 2", "double 3", "skip 3", "double 6", "skip 6"] == calls[:8]
    assert ["skip 4", "teardown"] == calls[8:]


def test_what_was_begun_is_torn_down_where_a_function_fails() -> None:
    calls: list[str] = []
    with pytest.raises(ValueError, match="no 3"):
        plain.perform(chain(plain, calls, fails_at=3), [1, 3])

    assert "teardown" == calls[-1]


def test_a_transform_without_elements_or_steps() -> None:
    class Nothing(plain.PTransform):
        def expand(self, source: Any) -> Any:
            return source

    assert [("sum", [0])] == plain.perform(chain(plain), [])
    assert [1] == plain.perform(Nothing(), [1])
    with pytest.raises(NotImplementedError, match="PTransform does not say"):
        plain.perform(plain.PTransform(), [1])


def test_beam_is_left_out_only_before_transforms_are_imported_with_it() -> None:
    def fresh() -> Any:
        spec = find_spec("pipelines.beam")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    with_beam, without = fresh(), fresh()
    words = with_beam.beam
    for module in (with_beam, without):
        module.leave_out()
        module.leave_out()

    assert (apache_beam, False) == (words, with_beam.is_left_out())
    assert (apache_beam, plain) == (with_beam.beam, without.beam)
    without.leave_out()
    assert without.is_left_out()
    with pytest.raises(AttributeError, match="no attribute 'bean'"):
        _ = without.bean
