"""Entry points of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from massivetext.plug_ins import plug_ins


def test_they_are_those_of_python_and_of_the_path_as_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plug_ins("massivetext.readers")
    folder = tmp_path / "shouting-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[massivetext.readers]\nshout = shouting:READER\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert {point.name for point in before} | {"shout"} == {point.name for point in plug_ins("massivetext.readers")}
    assert list(entry_points(group="console_scripts")) == plug_ins("console_scripts")
    assert [] == plug_ins("massivetext.no-such-group")
