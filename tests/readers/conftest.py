"""Fixtures of the tests of readers."""

from __future__ import annotations

import pytest

from massivetext.readers import members


@pytest.fixture
def small_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small files are cut; still more than readers look ahead."""
    monkeypatch.setattr(members, "_MARGIN", 1 << 14)
