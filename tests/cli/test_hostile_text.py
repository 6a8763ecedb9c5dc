"""No command passes on to a terminal what a document, an address or a source tells it to do."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.documents import DOCUMENT_SCHEMA
from pipelines.recipe import read
from tests.looking.test_diff import write_run

CODES = "\x1b]0;owned\x07\x9b2J\u202etxt.exe\u2066\u200b\ufeff\U000e0041\x7f\r"
URL = f"http://a.example/{CODES}\nkept: everything[red]"
SOURCE = f"crawl/{CODES}\n.warc"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two runs over the same hostile documents, one with a wider limit."""
    base = tmp_path_factory.mktemp("hostile")
    stages = "[language, safe_search, quality, deduplication, contamination]"
    (base / "recipe.yaml").write_text(
        f"subsets: {{c4: {{sources: [{{format: lines, path: x}}], stages: {stages}}}}}\n"
        "mixture: {weights: {c4: 1}}\n",
        "utf-8",
    )
    folders = []
    for number, limit in enumerate((50, 30)):
        recipe = read(str(base / "recipe.yaml"), [f"quality.word_count.min={limit}"])
        short = {"outcome": "rejected", "reason": "quality.word_count"} if number == 0 else {"outcome": "kept"}
        common = {"url": URL, "source": SOURCE, "language": "en", "language_score": 0.9, "word_count": 40}
        tested = {"contamination_jaccard": 0.9, "test_set": f"items{CODES}\n", "test_item": 3, "test_title": CODES}
        rows = [
            {"id": "a" * 32, **common, **short},
            {"id": "b" * 32, **common, "outcome": "kept", **tested, "test_span": "1:2"},
            {
                "id": "c" * 32,
                **{**common, "word_count": 60},
                "outcome": "duplicate",
                "reason": "duplicate.exact",
                "partner_id": "d" * 32,
                "partner_jaccard": 1.0,
            },
            {
                "id": "d" * 32,
                **{**common, "word_count": 60},
                "outcome": "contaminated",
                "reason": "contamination.jaccard",
                **tested,
            },
        ]
        folder = Path(write_run(base / str(number), recipe, {"part-0": rows}))
        fixed = {"text": f"one\n{CODES}two", "subset": "c4", "url": URL, "source": SOURCE, "n_bytes": 9, "n_tokens": 2}
        texts = [{"id": row["id"], **fixed} for row in rows]
        kinds = {"rejected": texts[: 1 - number], "curated": texts[1 - number :]}
        for kind, documents in kinds.items():
            (folder / kind / "c4").mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist(documents, DOCUMENT_SCHEMA), folder / kind / "c4" / "part-0.parquet")
        folders.append(str(folder))
    return folders[0], folders[1]


COMMANDS = [
    ["explain", "{0}", "a" * 32],
    ["explain", "{0}", "b" * 32],
    ["explain", "{0}", "c" * 32],
    ["explain", "{0}", URL],
    ["explain", "{0}", f"none{CODES}"],
    ["inspect", "{0}"],
    ["inspect", "{0}", "--columns", "url,source"],
    ["inspect", "{0}", "--columns", "url,source", "--table"],
    ["inspect", "{0}", "--text"],
    ["inspect", "{0}/curated", "--rows", "3"],
    ["inspect", "{0}", "--where", f"url = '{CODES}"],
    ["inspect", "{0}", "--duplicates"],
    ["diff", "{0}", "{1}", "--examples", "4"],
    ["what-if", "{0}", "--set", "quality.word_count.min=20"],
    ["what-if", "{0}", "--set", f"quality.{CODES}=1"],
    ["recipe", "show", f"none{CODES}.yaml"],
    ["verify", f"{{0}}{CODES}"],
    ["remove", "{0}", "--ids", f"none{CODES}"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments)[:40].encode().hex())
@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_reaches_the_terminal(runs: tuple[str, str], arguments: list[str], as_json: bool) -> None:
    filled = [argument.replace("{0}", runs[0]).replace("{1}", runs[1]) for argument in arguments]
    result = CliRunner().invoke(commands, [*filled, *(["--json"] if as_json else [])], env={"COLUMNS": "100"})
    # What main() does with an error is tested in test_command_line.py.
    printed = result.stdout + (result.stderr if not result.exception else "")

    assert not set(printed) & set(CODES) - set("]0;ownedJtxt.exe2")
    if as_json and result.stdout:
        for line in result.stdout.splitlines():
            json.loads(line)
    elif arguments[0] in ("explain", "diff", "what-if"):
        assert not any(line.strip().startswith("kept: everything") for line in printed.splitlines())


def test_json_has_the_data_as_they_are(runs: tuple[str, str]) -> None:
    result = CliRunner().invoke(commands, ["explain", runs[0], "a" * 32, "--json"])

    assert URL == json.loads(result.stdout)["url"]
