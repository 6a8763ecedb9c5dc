from __future__ import annotations

import json
from pathlib import Path

import pytest

from massivetext.readers.licences import identify, is_licence_file

MIT = (Path(__file__).parent / "mit.txt").read_text("utf-8")
EIGHT = ["Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "Unlicense"]


def test_the_eight_and_none_of_the_other_720(shared_data: Path) -> None:
    with open(shared_data / "licences" / "spdx-728.jsonl", encoding="utf-8") as lines:
        texts = {row["id"]: row["text"] for row in map(json.loads, lines)}
    found = {name: identify(text) for name, text in texts.items()}

    assert len(texts) == 728
    assert {name: found[name] for name in EIGHT} == {name: name for name in EIGHT}
    assert [name for name, licence in found.items() if licence and name not in EIGHT] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.upper(),
        lambda text: " ".join(text.split()),
        lambda text: "\n".join(f" * {line}" for line in text.split("\n")),
        lambda text: text.replace("MIT License", "The MIT License (MIT)\n=====\n\nExpat"),
        lambda text: text.replace(
            "Copyright (c) 2020 A. Body", "Copyright 2019, 2020 B.\n(c) 2021 C. All rights reserved."
        ),
        lambda text: text.replace("AUTHORS OR COPYRIGHT HOLDERS", "EXAMPLE CORPORATION"),
    ],
)
def test_how_a_licence_may_look(change) -> None:  # type: ignore[no-untyped-def]
    assert identify(change(MIT)) == "MIT"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\nThe Software shall be used for Good, not Evil.\n",
        lambda text: text.replace("The above", "The name of the authors may not be used in advertising. The above"),
        lambda text: text.replace("publish, distribute", "publish"),
        lambda text: "Commons Clause License Condition\n\nYou may not sell the software.\n\n" + text,
        lambda text: text + "\n\nParts of it are under another licence, see below.\n",
        lambda text: text + "\n\n" + "word " * 100,
        lambda text: text.partition("THE SOFTWARE IS")[0],
        lambda text: "x" * 70_000 + text,
        lambda text: "",
    ],
)
def test_what_is_another_licence(change) -> None:  # type: ignore[no-untyped-def]
    assert identify(change(MIT)) is None


def test_a_text_full_of_beginnings_takes_no_time() -> None:
    start = MIT[: MIT.index("THE SOFTWARE IS")]

    assert identify("\n" * 65_000) is None
    assert identify(start * 70) is None
    assert identify("copyright " * 6500) is None


def test_names_of_licence_files() -> None:
    names = [
        "LICENSE",
        "licence.txt",
        "LICENSE.md",
        "COPYING",
        "COPYING.txt",
        "UNLICENSE",
        "MIT-LICENSE",
        "LICENSE-APACHE",
    ]
    others = ["license.py", "LicenseManager.java", "relicense", "copying.c", "README", "licenses.json"]

    assert [name for name in names if not is_licence_file(name)] == []
    assert [name for name in others if is_licence_file(name)] == []
