"""libyaml reads what this program has written as PyYAML does."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from massivetext.yaml_text import safe_load
from pipelines.recipe import reading

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_alike(value: object) -> None:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()

    assert yaml.safe_load(text) == safe_load(text)


def test_other_text_has_the_errors_of_pyyaml() -> None:
    with pytest.raises(yaml.YAMLError, match=r"line 2, column 3:\n *- ]"):
        safe_load("a:\n- ]\n")


@pytest.mark.parametrize("name", reading.PACKAGED)
def test_both_loaders_read_the_packaged_recipes(name: str) -> None:
    text = resources.files("pipelines").joinpath(f"recipe/packaged/{name}.yaml").read_text("utf-8")

    assert yaml.load(text, reading._Loader) == yaml.load(text, reading._FastLoader)
