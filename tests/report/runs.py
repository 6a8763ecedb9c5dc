"""A run whose texts, addresses and names mean harm, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.in_process import massivetext

__all__ = ["HARM", "massivetext", "run"]


HARM = (
    "<script>document.title = 'harmed'; console.log('harmed')</script>",
    '"><img src="http://harm.example/a.png" onerror="document.title=\'harmed\'">',
    "</pre></article></details><h1 id='harm'>harm</h1><iframe src='http://harm.example/'></iframe>",
    "<svg onload=\"document.title='harmed'\"><style>body{display:none}</style>",
    "{{ 7 * 7 }}{% raw %} ${7*7} <!-- \u202edlrow\u202c \x1b[31mred\x07 a\u0300\u0301\u0302\u0303\u0304\u0305 -->",
)

STORY = (
    "The {a} went to the market and bought {b} apples with the money that they had saved for the winter. "
    "It was a cold morning, and of all the people who stood in the square only a few were there to sell. "
    "To be sure of a good price, {a} have to come early and to talk with those that know the {b} farms. "
    "Nobody in the town could say which of them would be the first to leave when the snow came down. "
)

ITEM = "How many pears does the gardener carry home if each of nine baskets holds exactly seven of them and one is lost"


def run(folder: Path) -> Path:
    """The output folder of six stories and one more of each: a copy, a near copy, one that repeats itself, one with a
    test item in it, one that is too short. All have harm inside."""
    stories = [f"{HARM[i % len(HARM)]} {STORY.format(a=f'farmer{i}', b=f'kind{i}')} Tale {i}." for i in range(6)]
    near = stories[0].replace("snow came down", "snow came")
    filler = " ".join(STORY.format(a=f"x{i}", b=f"y{i}") for i in range(12))
    texts = [
        *stories,
        stories[2],
        f"{filler} {HARM[0]}",
        f"{HARM[1]} {STORY.format(a='nurse', b='red')} {ITEM} {HARM[0]}",
        f"short {HARM[0]}",
        near,
    ]
    lines = [
        json.dumps({"text": text, "url": f"https://{'www.' if i % 2 else ''}host{i % 3}.example/{i}?q={HARM[i % 5]}"})
        for i, text in enumerate(texts)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "items.jsonl").write_text(json.dumps({"text": ITEM}) + "\n", "utf-8")
    recipe = {
        "extends": "gopher",
        "subsets": {
            "massiveweb": {
                "sources": [{"format": "jsonl", "path": "in.jsonl"}],
                "stages": ["language", "quality", "repetition", "deduplication", "contamination"],
            }
        },
        "testsets": [{"name": HARM[0], "path": "items.jsonl", "text": "{text}"}],
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    done = massivetext("run", str(folder / "recipe.yaml"), "--output", str(folder / "out"), "--quiet")
    assert 0 == done.returncode, done.stderr
    return folder / "out"
