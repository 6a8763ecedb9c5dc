"""What Beam finds in a DoFn of ours."""

from __future__ import annotations

import inspect

import apache_beam as beam
import pytest
from apache_beam.transforms.core import get_function_args_defaults, get_function_arguments
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, get_dofn_specs

import pipelines.main
from pipelines.transforms.base import PlainDoFn

STATE = ReadModifyWriteStateSpec("seen", beam.coders.VarIntCoder())


class Counting(PlainDoFn):
    def process(self, element: int, seen: object = beam.DoFn.StateParam(STATE)) -> None:
        pass


def test_a_state_is_found_where_a_dofn_can_have_one() -> None:
    assert ({STATE}, set()) == get_dofn_specs(Counting())


@pytest.mark.parametrize("kind", PlainDoFn.__subclasses__())
@pytest.mark.parametrize("method", ["process", "start_bundle", "finish_bundle", "setup", "teardown"])
def test_beam_is_told_the_arguments_that_it_would_find(kind: type[PlainDoFn], method: str) -> None:
    plain = kind.__new__(kind)
    told = get_function_arguments(plain, method)

    assert told == get_function_args_defaults(getattr(plain, method))
    told[0].append("changed")
    assert "changed" not in get_function_arguments(plain, method)[0]


@pytest.mark.parametrize("kind", [kind for kind in PlainDoFn.__subclasses__() if kind is not Counting])
def test_no_other_method_has_an_argument_of_beams(kind: type[PlainDoFn]) -> None:
    assert pipelines.main  # which imports all transforms of a run
    plain = kind.__new__(kind)
    looked_at = set(dir(plain))
    for name in set(object.__dir__(plain)) - looked_at:
        method = getattr(plain, name, None)
        if inspect.ismethod(method):
            values = [argument.default for argument in inspect.signature(method).parameters.values()]
            assert not any(type(value).__name__.endswith("DoFnParam") for value in values), name
    assert {"process", "start_bundle", "finish_bundle"} == looked_at
