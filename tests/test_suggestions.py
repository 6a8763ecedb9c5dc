"""Names that are nearly right."""

from __future__ import annotations

import pytest

from massivetext.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("qualty", "; did you mean 'quality'?"),
        ("dedupe", ""),
        ("deduplicaton", "; did you mean 'deduplication'?"),
        ("", ""),
        (3, ""),
    ],
)
def test_the_nearest_name_if_there_is_one(name: object, hint: str) -> None:
    assert hint == did_you_mean(name, ["quality", "deduplication", "language"])
