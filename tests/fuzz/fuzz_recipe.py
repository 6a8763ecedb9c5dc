"""Fuzzes recipes and files of test items: `python tests/fuzz/fuzz_recipe.py`.

What must hold: a recipe is read or refused with a RecipeError, one that is read is the same when what it resolved to is
read again, no file but those it names is touched; test items come as clean text, numbered, or end in a RecipeError or
SourceError. Nothing takes 10 s or a gigabyte.
"""

from __future__ import annotations

import atexit
import contextlib
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import yaml

from massivetext.contamination.items import PRESETS, TestSet, read_items
from massivetext.errors import RecipeError, SourceError
from pipelines import recipe
from tests.fuzz.driver import DATA, REPOSITORY, Target, main, mutated

_TEMPORARY = tempfile.TemporaryDirectory(prefix="fuzz-")
atexit.register(_TEMPORARY.cleanup)
FOLDER = Path(_TEMPORARY.name)

RECIPES = [path.read_bytes() for path in sorted((REPOSITORY / "pipelines" / "recipes").glob("*.yaml"))]
RECIPES += [
    b"extends: gopher\nsubsets:\n  c4:\n    sources: [{format: jsonl, path: 'in/*.gz', fields: {text: body}}]\n"
    b"    stages: [quality, repetition, deduplication]\nquality: {word_count: {min: 30}}\n"
    b"mixture: {weights: {c4: 1}}\n",
    b"extends: fineweb\nrules: {own: {function: 'os.path:basename', max: 3}}\n"
    b"testsets: [{name: a, path: b, text: '{c}'}]\nisolation: {seconds: 3}\n"
    b"deduplication: {across: [c4], against: [x]}\nseed: 7\ntokenizer: ${HOME}/t.model\n",
]
YAML = (
    *(
        b": ",
        b"- ",
        b"\n  ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/object:os.system ",
        b"!!binary ",
        b"!!set ",
    ),
    *(
        b"? ",
        b"| ",
        b"> ",
        b"'",
        b'"',
        b"\t",
        b"#",
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b".nan",
        b".inf",
        b"-.inf",
        b"1e999",
        b"0x10",
    ),
    *(
        b"9" * 5000,
        b"2001-01-01",
        b"2001-99-99",
        b"12:30:45",
        b"null",
        b"~",
        b"true",
        b"${HOME}",
        b"${NO_SUCH_NAME}",
        b"${",
        b"\xff",
    ),
    *(
        b"\0",
        b"\x85",
        b"\xef\xbf\xbe",
        b"[" * 100,
        b"{a: " * 100,
        b"extends: gopher\n",
        b"extends: .\n",
        b"../",
        b"/dev/zero",
    ),
    *(
        b"name: ../../x\n",
        b"seed: -1\n",
        b"seed: 18446744073709551616\n",
        b"weights: {c4: .inf}\n",
        b"os:system",
        b":",
        b"a:b:c",
    ),
)
ITEMS = (
    *(
        b'{"text": "',
        b'"}\n',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"1e400",
        b"\\ud800",
        b"\\u0000",
        b"\xff",
        b"\n",
        b"\r",
    ),
    *(
        b" = A = \n",
        b" @-@ ",
        b"= =",
        b"[" * 3000,
        b"9" * 5000,
        b'"choices": ["a", 3], ',
        b'"answer": -1',
        b'"label": "x"',
        b'{"a":' * 2000,
    ),
)


def recipe_text(chance: random.Random) -> bytes:
    data = chance.choice(RECIPES)
    for _ in range(chance.choice((1, 1, 3))):
        data = mutated(data, chance, YAML, 200_000)
    return data


def read_recipe(data: bytes) -> None:
    path = FOLDER / "recipe.yaml"
    path.write_bytes(data)
    try:
        found = recipe.read(str(path))
    except RecipeError:
        return
    path.write_text(yaml.safe_dump(found.resolved()), "utf-8")
    assert found == recipe.read(str(path)), "reads itself otherwise than it was"


def settings(chance: random.Random) -> str:
    keys = (
        "quality.word_count.min",
        "mixture.weights",
        "subsets.c4.sources",
        "seed",
        "subsets",
        "a..b",
        "",
        "mixture.name",
    )
    return (
        chance.choice(keys)
        + chance.choice(("=", "=", ""))
        + b"".join(chance.choices((*YAML, b"1", b"0.5", b"x"), k=chance.randrange(4))).decode("utf-8", "replace")
    )


def set_value(given: str) -> None:
    with contextlib.suppress(RecipeError):
        recipe.read("gopher", [given])


def test_file(chance: random.Random) -> tuple[dict[str, str], bytes]:
    found = [
        b'{"question": "what is it", "choices": ["a", "b"], "answer": 1}\n' * 3,
        b" = Title = \n\n a @-@ b , c . \n",
    ]
    if DATA.is_dir():
        found += [path.read_bytes()[:20_000] for path in sorted((DATA / "testsets").iterdir()) if path.is_file()]
    how = chance.choice(
        (
            *({"unit": unit} for unit in ("record", "line", "file")),
            *({"preset": name} for name in sorted(PRESETS)),
            *(
                {"text": text}
                for text in (
                    "{text}",
                    "{question} {choices}",
                    "{a.b}",
                    "{0}",
                    "{",
                    "{a!r}",
                    "{a[0]}",
                    "{a:>9999999999}",
                )
            ),
        )
    )
    return how, mutated(chance.choice(found), chance, ITEMS, 200_000)


def read_items_of(given: tuple[dict[str, str], bytes]) -> None:
    how, data = given
    path = FOLDER / "items"
    path.write_bytes(data)
    with contextlib.suppress(RecipeError, SourceError):
        for item in read_items(TestSet("set", str(path), **how)):
            # A preset's own mark for a word that WikiText left out.
            assert "\0" not in item.text or how.get("preset") == "wikitext"
            item.text.encode()


TARGETS = {
    "recipe": Target(recipe_text, read_recipe),
    "settings": Target(settings, set_value),
    "test-items": Target(test_file, read_items_of),
}

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
