"""Beam's words for a chain of transforms, for the process that runs the chain itself.

The names are Beam's, and mean the same: transforms are written once (`pipelines.beam`). There is what the transforms of
the engine of this machine are made of, which is little: functions of an element (ParDo), one after the other, and a
GroupByKey between two such chains. An element goes through the whole chain before the next one is begun, as on a runner
that fuses, so a batch is in memory once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

__all__ = ["DoFn", "GroupByKey", "PCollection", "PTransform", "ParDo", "coders", "metrics", "perform", "transforms"]


class PCollection:
    """What a chain of steps makes of the elements that go in. steps: the DoFns in order; None groups by key."""

    def __init__(self, steps: tuple[DoFn | None, ...] = ()) -> None:
        self.steps = steps

    def __or__(self, transform: PTransform) -> PCollection:
        return transform.expand(self)


class PTransform:
    def __init__(self, label: str | None = None) -> None:
        self.label = label

    def __rrshift__(self, label: str) -> PTransform:
        return self

    def with_output_types(self, _: Any) -> PTransform:
        return self

    def expand(self, source: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say what it is made of")


class DoFn:
    """A function from an element to elements, with what is done before the first and after the last of them."""

    def setup(self) -> None: ...

    def start_bundle(self) -> None: ...

    def process(self, element: Any) -> Iterable[Any] | None:
        raise NotImplementedError

    def finish_bundle(self) -> Iterable[Any] | None: ...

    def teardown(self) -> None: ...


class ParDo(PTransform):
    def __init__(self, function: DoFn) -> None:
        super().__init__()
        self.function = function

    def expand(self, source: PCollection) -> PCollection:
        return PCollection((*source.steps, self.function))


class GroupByKey(PTransform):
    """From pairs of key and value to pairs of key and all its values, in the order of the keys' first values."""

    def expand(self, source: PCollection) -> PCollection:
        return PCollection((*source.steps, None))


class _Coder:
    """What encodes elements between processes, of which there is one here."""


class _Counter:
    """A counter that nobody reads: what a task took is known by its process."""

    def inc(self, n: int = 1) -> None: ...


coders = SimpleNamespace(Coder=_Coder, registry=SimpleNamespace(register_coder=lambda kind, coder: None))
metrics = SimpleNamespace(Metrics=SimpleNamespace(counter=lambda namespace, name: _Counter()))
transforms = SimpleNamespace(window=SimpleNamespace(GlobalWindows=SimpleNamespace(windowed_value=lambda value: value)))


def perform(work: Any, elements: Sequence[Any]) -> list[Any]:
    """Run a transform over elements in this process, and return what it makes of them.

    Args:
        work: A transform of these classes.
        elements: What goes in, one by one.
    """
    chains: list[list[DoFn]] = [[]]
    for step in (PCollection() | work).steps:
        if step is None:
            chains.append([])
        else:
            chains[-1].append(step)
    results = _through(chains[0], elements)
    for chain in chains[1:]:
        values: dict[Any, list[Any]] = {}
        for key, value in results:
            values.setdefault(key, []).append(value)
        results = _through(chain, list(values.items()))
    return results


def _through(functions: Sequence[DoFn], elements: Iterable[Any]) -> list[Any]:
    """Put elements through functions, each as far as it goes before the next one."""
    results: list[Any] = []
    begun: list[DoFn] = []
    try:
        for function in functions:
            begun.append(function)
            function.setup()
            function.start_bundle()
        for element in elements:
            _put(element, functions, 0, results)
        for number, function in enumerate(functions, 1):
            for value in function.finish_bundle() or ():
                _put(value, functions, number, results)
    finally:
        for function in begun:
            function.teardown()
    return results


def _put(element: Any, functions: Sequence[DoFn], number: int, results: list[Any]) -> None:
    """Put an element through the functions from `number` on, and what comes out at the end to the results."""
    if number == len(functions):
        results.append(element)
        return
    for value in functions[number].process(element) or ():
        _put(value, functions, number + 1, results)
