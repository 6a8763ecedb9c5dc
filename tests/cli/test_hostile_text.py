"""No command passes on to a terminal what a document, an address or a source tells it to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import _running, commands
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.terminal_text import visible_error, visible_name, visible_values
from pipelines.recipe import read
from tests.looking.test_diff import write_run

CODES = "\x1b]0;owned\x07\x1b]8;;http://a.example/\x1b\\\x9b2J\u202etxt.exe\u2066\u200b\ufeff\U000e0041\x7f\r"
URL = f"http://a.example/{CODES}\nkept: everything[red]"
CODES_THAT_SHOW = {code for code in CODES if code.isprintable() and code.isascii()}
SOURCE = f"crawl/{CODES}\n.warc"
ANY = f"any{CODES}\nkept: everything[red]:warning:"
"""Control characters, an OSC 8 link, C1, directions, a line of its own, markup of rich."""


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
        common |= {"timestamp": ANY, "languages": [{"language": ANY, "score": 0.5}], "reasons": [ANY]}
        common |= {
            "safe_search_score": 0.1,
            "safe_search_evidence": json.dumps({"blocked": ANY, "classifier": {ANY: 0.5}}),
        }
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
            {"id": "e" * 32 + ANY, **common, "language": ANY, "outcome": "kept", "reason": ANY, "partner_id": ANY},
            {"id": "f" * 32, **common, "outcome": ANY, "reason": ANY},
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
    ["explain", "{0}", "e" * 32],
    ["explain", "{0}", "f" * 32],
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
    ["inspect", "{0}", "--id", "e", "--table"],
    ["report", "{0}", "--output", f"{{0}}/page{CODES}.html"],
    ["safesearch", "hosts", "{0}", "--least", "1", "--share", "0.5", "--limit", "0.01"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments)[:40].encode().hex())
@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_reaches_the_terminal(runs: tuple[str, str], arguments: list[str], as_json: bool) -> None:
    filled = [argument.replace("{0}", runs[0]).replace("{1}", runs[1]) for argument in arguments]
    result = CliRunner().invoke(commands, [*filled, *(["--json"] if as_json else [])], env={"COLUMNS": "100"})
    # What main() does with an error is tested in test_command_line.py.
    printed = result.stdout + (result.stderr if not result.exception else "")

    assert not set(printed) & set(CODES) - set(CODES_THAT_SHOW)
    if as_json and result.stdout:
        for text in [result.stdout] if arguments[0] == "safesearch" else result.stdout.splitlines():
            json.loads(text)
    else:
        # The lines of a text stay apart, below its column's name.
        lines = [line if arguments[0] == "inspect" else line.strip() for line in printed.splitlines()]

        assert not any(line.startswith("kept: everything") for line in lines)


def test_json_has_the_data_as_they_are(runs: tuple[str, str]) -> None:
    result = CliRunner().invoke(commands, ["explain", runs[0], "a" * 32, "--json"])

    assert URL == json.loads(result.stdout)["url"]


def test_progress_funnel_and_errors_are_safe(capsys: pytest.CaptureFixture[str]) -> None:
    progress = _running.Progress(quiet=False, as_json=False)
    progress.say(f"gone: {ANY}")
    _running.Progress(quiet=False, as_json=True).say(ANY)
    _running._funnel({f"c4{CODES}": {f"rejected {ANY}": [1, 2, 3], "kept": [1, 2, 3]}}, estimated=True)
    printed = "".join(capsys.readouterr())

    assert not set(printed) & set(CODES) - CODES_THAT_SHOW
    assert "[red]" in printed
    assert ":warning:" in printed


def test_a_name_in_an_error_is_no_line_of_its_own() -> None:
    shown = visible_error("error: in\nerror: all is well: cannot be opened\n  a line of the message")

    assert "error: in\n  error: all is well: cannot be opened\n  a line of the message" == shown


def test_all_strings_of_data_are_made_visible() -> None:
    data = {ANY: [ANY, (ANY, 1)], "text": ANY, "none": None}
    shown = visible_values(data, skip=("text",))

    assert ANY == shown.pop("text")
    assert not any(code in str(shown) for code in "\x1b\x9b\u202e\n")
    assert (visible_name(ANY), 1) == shown[visible_name(ANY)][1]


def test_commands_print_through_one_module() -> None:
    """A line that escapes it is a line that nobody has made safe."""
    # Of rich's console, of JSON that is safe already, and of a script of the library's own.
    allowed = {"_output.py", "_progress.py", "_running.py", "inspect.py", "completion.py"}
    folder = Path(commands.callback.__code__.co_filename).parent  # type: ignore[union-attr]
    direct = re.compile(
        r"\bclick\.s?echo\(|\bclick\.secho\(|(?<![.\w])print\(|\bConsole\(|\bsys\.std(?:out|err)\.write\("
    )

    assert allowed >= {path.name for path in folder.rglob("*.py") if direct.search(path.read_text("utf-8"))}
