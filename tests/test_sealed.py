"""Sealed JSON: every flipped bit is noticed, and what was written is read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.run_recipe import canonical_digest, read_recipe_file, recipe_file
from massivetext.sealed import sealed, unsealed

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda name: name != "seal"), _JSON, max_size=4))
def test_what_was_sealed_is_read_back(data: dict) -> None:
    again = unsealed(sealed(data))
    again.pop("seal")

    assert data == again
    assert sealed(data) == sealed({**data, "seal": "an older one"})


def test_every_flipped_bit_is_noticed() -> None:
    content = sealed({"kind": "curated", "files": {"a": {"rows": 3, "seal": "0" * 64}}, "counts": {"ü": 1.5}})
    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            with pytest.raises(ValueError, match=r"."):
                unsealed(bytes(damaged))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"null", b'"a"', b"{", b"\xff", b'{"seal": 3}', b'{"seal": "x"}']
)
def test_what_is_no_sealed_object_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unsealed(content)


def test_files_of_earlier_versions_are_read() -> None:
    assert {"kind": "mixture"} == unsealed(b'{"kind": "mixture"}')


def test_every_flipped_bit_of_a_runs_recipe_is_noticed() -> None:
    canonical = {"seed": 0, "mixture": {"weights": {"c4": 1.0}}}
    data = {"digest": canonical_digest(canonical), "versions": {"numpy": "2.1"}, "canonical": canonical}
    data["recipe"] = {"seed": 0, "name": "ü", "mixture": {"tokens": "max"}}
    content = recipe_file(data)

    assert data == read_recipe_file(content)
    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            try:
                read = read_recipe_file(bytes(damaged))
            except ValueError:
                continue
            raise AssertionError((at, bit, read))


def test_the_digest_of_a_recipe_without_a_seal_is_compared() -> None:
    canonical = {"seed": 0}
    content = f"digest: {canonical_digest(canonical)}\ncanonical: {json.dumps(canonical)}\nrecipe: {{}}\n".encode()

    assert canonical == read_recipe_file(content)["canonical"]
    with pytest.raises(ValueError, match="its digest is not that of the recipe in it"):
        read_recipe_file(content.replace(b'"seed": 0', b'"seed": 1'))
