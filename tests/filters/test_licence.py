from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.licence import ALLOWED, broken, is_allowed, measure


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        (" The MIT License ", "MIT"),
        ("MIT License (MIT)", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("apache-2.0", "Apache-2.0"),
        ("Apache 2", "Apache-2.0"),
        ("bsd-3-clause", "BSD-3-Clause"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("BSD 2-Clause License", "BSD-2-Clause"),
        ("Simplified BSD", "BSD-2-Clause"),
        ("The Unlicense (Unlicense)", "Unlicense"),
        ("cc0-1.0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("ISC License", "ISC"),
        ("Artistic License 2.0", "Artistic-2.0"),
    ],
)
def test_names_of_the_eight(written: str, meant: str) -> None:
    assert is_allowed(written) == (meant, True)


@pytest.mark.parametrize(
    "written",
    [
        "MIT-0",
        "BSD-4-Clause",
        "BSD",
        "Artistic-1.0",
        "Apache-1.1",
        "GPL-3.0-only",
        "CC-BY-4.0",
        "license",
        "other",
        "-",
        "(",
    ],
)
def test_names_of_others(written: str) -> None:
    assert is_allowed(written)[1] is False


@pytest.mark.parametrize(
    ("expression", "canonical", "allowed"),
    [
        ("MIT OR GPL-3.0", "MIT OR GPL-3.0", True),
        ("mit and gpl-3.0", "MIT AND gpl-3.0", False),
        ("MIT AND isc", "MIT AND ISC", True),
        ("(MIT OR GPL-2.0) AND Apache-2.0", "(MIT OR GPL-2.0) AND Apache-2.0", True),
        ("MIT OR GPL-2.0 AND GPL-3.0", "MIT OR GPL-2.0 AND GPL-3.0", True),
        ("(MIT OR GPL-2.0) AND GPL-3.0", "(MIT OR GPL-2.0) AND GPL-3.0", False),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", False),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0", True),
        ("mit, gpl-3.0", "MIT AND gpl-3.0", False),
        ("MIT OR", "MIT OR", False),
        ("MIT AND NOASSERTION", "MIT AND NOASSERTION", False),
    ],
)
def test_expressions(expression: str, canonical: str, allowed: bool) -> None:
    assert is_allowed(expression) == (canonical, allowed)


def test_expressions_that_nobody_writes() -> None:
    for expression in ("(" * 4000, ")" * 4000, "MIT OR " * 500, "x" * 1_000_000, "AND", "((MIT)"):
        assert is_allowed(expression)[1] is False


def test_no_other_spdx_id_is_allowed(shared_data: Path) -> None:
    with open(shared_data / "licences" / "spdx-728.jsonl", encoding="utf-8") as lines:
        ids = [json.loads(line)["id"] for line in lines]

    assert sorted(name for name in ids if is_allowed(name)[1]) == sorted(ALLOWED)


def test_measure() -> None:
    column = pa.chunked_array([["mit", None], ["", "GPL-3.0"]])
    found = measure(column)

    assert found.to_pydict() == {
        "licence": ["MIT", None, None, "GPL-3.0"],
        "licence_allowed": [True, False, False, False],
    }
    assert measure(column, allowed=["GPL-3.0"])["licence_allowed"].to_pylist() == [False, False, False, True]
    assert measure(pa.array([], pa.string())).num_rows == 0


@given(
    st.lists(
        st.sampled_from(
            [
                "MIT",
                "mit",
                "BSD 3 clause new",
                "revised",
                "GPL-2.0",
                "the",
                "License",
                " ",
                "(",
                ")",
                "and",
                "OR",
                "with",
                "/",
                ",",
                ";",
                "Apache",
                "2.0",
                "expat",
                "Foo",
                "un",
            ]
        ),
        max_size=9,
    ),
    st.sampled_from(["", " ", "|"]),
)
def test_the_canonical_form_has_the_verdict_of_what_it_was_made_from(words: list[str], between: str) -> None:
    written = between.join(words)
    name, verdict = is_allowed(written)

    assert (name, verdict) == (is_allowed(name) if name is not None else (None, False))
    assert [not verdict] == broken(pa.array([written])).tolist() == broken(pa.array([name], pa.string())).tolist()


def test_broken() -> None:
    column = pa.array(["MIT", None, "", "GPL-3.0", "MIT"])

    assert [False, True, True, True, False] == broken(column).tolist()
    assert [True, True, True, False, True] == broken(column, ["GPL-3.0"]).tolist()
    assert [] == broken(pa.array([], pa.string())).tolist()
