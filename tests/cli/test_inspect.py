from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from massivetext import inspection
from massivetext.cli import commands
from massivetext.errors import SourceError
from massivetext.inspection import as_json, as_json_line
from massivetext.terminal_text import visible


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["inspect", *map(str, arguments)], env={"COLUMNS": "60"})


def lines(*arguments: object) -> list[dict]:
    done = inspect(*arguments, "--json")
    assert 0 == done.exit_code, (done.output, done.exception)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, three row groups, in a folder whose name holds a space, a quote, a bracket and an umlaut."""
    base = tmp_path / "o'ut [1] ü"
    base.mkdir()
    table = pa.table(
        {
            "id": [f"{i:032x}" for i in range(12)],
            "n": pa.array([*range(11), None], pa.int64()),
            "share": [float("nan"), float("inf"), *(i / 10 for i in range(10))],
            "at": pa.array([datetime(2024, 5, 6, 7, 8, i) for i in range(12)], pa.timestamp("us")),
            "metadata": pa.array([[("a b", "c")]] * 11 + [None], pa.map_(pa.string(), pa.string())),
            "raw": pa.array([b"\x00\xff"] * 12, pa.binary(2)),
            "text": ["plain " * 40, "\x1b[31mred\u202e \x85 \U000e0041", "日本語" * 40, *["x"] * 9],
        }
    )
    pq.write_table(table.slice(0, 8), base / "a.parquet", row_group_size=5, compression="zstd")
    pq.write_table(table.slice(8).append_column("extra", [["e"] * 4]), base / "b.parquet", compression="snappy")
    return base


def test_the_description_adds_up(folder: Path) -> None:
    files = inspection.open_files(inspection.find_files(str(folder)))
    done = inspect(folder, "--rows", 0)

    assert ((5, 3), (4,)) == files.groups
    assert 1 == files.columns["n"].nulls
    assert {"zstd", "snappy"} == files.columns["text"].compressions
    assert files.stored > sum(column.stored for column in files.columns.values()) > 0
    assert "2 files, 12 rows" in done.stdout
    assert not re.search("^text ", inspect(folder, "--rows", 0, "--columns", "n,share").stdout, re.MULTILINE)
    assert "3 row groups of 3 to 5 rows" in done.stdout
    assert "compressed by snappy, zstd" in done.stdout
    assert re.search(r"^text +string +\S+ k?B +\S+ k?B +0$", done.stdout, re.MULTILINE)


def test_an_export_is_all_rows_as_valid_json(folder: Path) -> None:
    rows = lines(folder)

    assert [*range(11), None] == [row["n"] for row in rows]
    assert [None, None, 0.0] == [row["share"] for row in rows[:3]]
    assert ("2024-05-06T07:08:00", {"a b": "c"}, "00ff") == tuple(rows[0][name] for name in ("at", "metadata", "raw"))
    assert (None, "e") == (rows[0]["extra"], rows[11]["extra"])
    assert 2 == len(lines(folder, "--rows", 2))
    assert [{"n": 3}] == lines(folder, "--columns", "n", "--where", "n = 3")


def test_rows_are_found_by_condition_and_id(folder: Path) -> None:
    assert [2, 4, 9] == [row["n"] for row in lines(folder, "--where", "n IN (2, 4, 9)", "--columns", "n")]
    assert [11] == [int(row["id"], 16) for row in lines(folder, "--where", "n is null and extra = 'e'")]
    assert [0, 1] == [row["n"] for row in lines(folder, "--where", "NOT isfinite(share)")]
    assert 11 == len(lines(folder, "--where", "metadata['a b'] = 'c' -- told"))
    assert [7] == [row["n"] for row in lines(folder, "--id", f"{7:032x}")]
    assert [] == lines(folder, "--id", "ff")
    assert [1] == [row["n"] for row in lines(folder, "--id", "0", "--where", "n = 1")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--where", "m = 3"], 'column "m" not found'),
        (["--where", "n ="], "syntax error"),
        (["--where", "n = 'x'"], "Could not convert string 'x'"),
        (["--where", "count(*) > 1"], "aggregates"),
        (["--where", "n = 1; DROP TABLE rows"], "syntax error"),
        (["--where", "n IN (SELECT n FROM '/etc/passwd')"], "is no condition"),
        (["--where", " "], "the condition is empty"),
        (["--columns", "n,sahre"], "no column 'sahre' (did you mean 'share'?); columns are id, n,"),
        (["--columns", ""], "no column ''"),
    ],
)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_what_cannot_be_asked_exits_2(folder: Path, arguments: list[str], said: str, as_json: list[str]) -> None:
    done = inspect(folder, *arguments, *as_json)

    assert 2 == done.exit_code
    assert said in done.stderr
    assert "" == done.stdout


def test_a_sample_is_a_function_of_the_seed(folder: Path) -> None:
    found = {seed: [row["id"] for row in lines(folder, "--seed", seed, "--rows", 4)] for seed in range(40)}
    counts = np.bincount([int(name, 16) for ids in found.values() for name in ids], minlength=12)

    assert found[3] == [row["id"] for row in lines(folder, "--seed", 3, "--rows", 4)]
    assert {4} == {len(set(ids)) for ids in found.values()}
    assert all(ids == sorted(ids) for ids in found.values())
    assert 160 == counts.sum()
    assert (counts > 3).all()  # 13.3 expected of each row
    assert {5, 6} == {row["n"] for row in lines(folder, "--seed", 1, "--rows", 9, "--where", "n = 5 OR n = 6")}


def test_text_on_a_terminal(folder: Path) -> None:
    done = inspect(folder, "--rows", 3, "--columns", "text")
    shown = done.stdout.splitlines()
    wide = [line for line in shown if "日" in line]

    assert "\\x1b[31mred\\u202e \\x85 \\U000e0041" in done.stdout
    assert not set("\x1b\u202e\x85\U000e0041") & set(done.stdout)
    assert 120 == sum(len(line.strip()) for line in wide)
    assert all(len(line.strip()) * 2 <= 58 for line in wide)  # a wide character takes two cells
    assert "plain plain" in done.stdout
    assert max(len(line) for line in shown if "plain" in line) <= 60
    assert "a\u0300\u0301\u0302b" == visible("a\u0300\u0301\u0302\u0303\u0304b")
    assert "\u200d\tx\n" == visible("\u200d\tx\r\n")


def test_a_long_name_stands_apart_from_its_value(tmp_path: Path) -> None:
    name = "duplicate_paragraph_character_fraction"
    pq.write_table(pa.table({"id": ["a" * 80], name: [0.5]}), tmp_path / "a.parquet")

    assert f"\n{name}  0.5\n" in inspect(tmp_path / "a.parquet", "--rows", 1).output


def test_rows_that_fit_are_a_table(folder: Path) -> None:
    table = inspect(folder, "--columns", "n,share,extra", "--rows", 3, "--where", "n >= 9 or n is null").stdout
    cut = inspect(folder, "--columns", "id,n,at,metadata", "--rows", 2).stdout.splitlines()
    forced = inspect(folder, "--rows", 1, "--columns", "text,n", "--table").stdout.splitlines()

    assert ["n  share  extra", "--  -----  -----", "9    0.7  e", "10    0.8  e", "0.9  e"] == [
        line.strip() for line in table.splitlines()[-5:]
    ]
    assert ["id", "n", "at", "metadata"] == cut[-4].split()
    assert all(len(line) <= 60 for line in cut[-4:])
    assert cut[-2].startswith("000000")
    assert "\u2026" in cut[-2]
    assert len(forced[-1]) <= 60
    assert "\u2026" in forced[-1]
    assert forced[-1].endswith("  0")


def test_rows_are_sorted(folder: Path) -> None:
    def numbers(*arguments: object) -> list[int | None]:
        return [row["n"] for row in lines(folder, "--columns", "n", *arguments)]

    assert [10, 9, 8] == numbers("--sort=-n", "--rows", 3)
    assert [*range(10, -1, -1), None] == numbers("--sort=-n")
    assert [2, 3, 4] == numbers("--sort", "share", "--rows", 3)
    assert [1, None, 10] == numbers("--sort=-share", "--rows", 3)
    assert 0 == numbers("--sort=-share")[-1]  # NaN
    # Equal values keep the order of the files; rows of a file without the column come last.
    assert [8, 9, 10, None, 0, 1] == numbers("--sort", "extra", "--rows", 6)
    assert [7, 5] == numbers("--sort", "raw,-n", "--where", "n IN (5, 7)")
    assert 2 == inspect(folder, "--sort", "metadata").exit_code
    assert "did you mean 'share'" in inspect(folder, "--sort", "-shares").stderr
    assert 2 == inspect(folder, "--sort", "n", "--seed", 1).exit_code


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A file of values that Python does not have, of texts that are not UTF-8, and of names that are not unique."""
    lying = pa.array([b"caf\xe9", b"ok", b"b"], pa.binary()).view(pa.string())
    inner = pa.StructArray.from_arrays([lying, lying], ["t", "t"])
    columns = {
        "id": lying,
        "word": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), lying),
        "zone": pa.array([0, 1000, None], pa.timestamp("ms", "Mars/Phobos")),
        "day": pa.array([99_999_999, 0, None], pa.date32()),
        "at": pa.array([1_577_934_245_123_456_789, 0, None], pa.timestamp("ns")),
        "view": lying.cast(pa.binary()).cast(pa.binary_view()).view(pa.string_view()),
        "inner": inner,
        "map": pa.MapArray.from_arrays(pa.array([0, 1, 2, 3]), lying, lying),
    }
    table = pa.Table.from_arrays([*columns.values(), inner, pa.array([3, 1, 2])], [*columns, "inner", "id"])
    pq.write_table(table, tmp_path / "strange.parquet")
    return tmp_path / "strange.parquet"


def test_values_that_python_does_not_have(strange: Path) -> None:
    word, twice = "caf\ufffd", {"t": "caf\ufffd", "t (2)": "caf\ufffd"}

    assert {
        "id": word,
        "word": word,
        "zone": "1970-01-01T00:00:00+00:00",
        "day": 99_999_999,
        "at": "2020-01-02T03:04:05.123456789",
        "view": word,
        "inner": twice,
        "map": {word: word},
        "inner (2)": twice,
        "id (2)": 3,
    } == lines(strange)[0]
    assert [*lines(strange)[1:], *lines(strange, "--rows", 1)] == lines(strange.parent)[1:] + lines(strange)[:1]
    for arguments in ([], ["--table"], ["--columns", "zone,day"]):
        done = inspect(strange, *arguments)
        assert 0 == done.exit_code, done.exception
        assert "1970-01-01 00:00:01+00:00" in done.stdout or arguments == ["--table"]
    assert "indices=int8" in inspection.open_files([str(strange)]).columns["word"].type
    assert re.search(r"^id \(2\) +int64 +\d\d", inspect(strange).stdout, re.MULTILINE)


def test_rows_are_chosen_by_values_that_python_does_not_have(strange: Path) -> None:
    def numbers(*arguments: object) -> list[int]:
        return [row["id (2)"] for row in lines(strange, "--columns", "id (2)", *arguments)]

    assert [1] == numbers("--id", "o")
    assert [1, 2, 3] == numbers("--sort", "id (2)")
    assert [2, 3, 1] == numbers("--sort", "view") == numbers("--sort", "word") == numbers("--sort", "id")
    assert [1, 3] == numbers("--sort", "day", "--rows", 2)
    assert [1] == numbers("--where", "id = 'ok' AND word = 'ok' AND day < '2000-01-01' AND view = 'ok'")
    assert [2] == numbers("--where", '"id (2)" = 2')
    table = pq.ParquetFile(strange).read(columns=["zone", "day"]).rename_columns(["id", "day"])
    pq.write_table(table, strange)
    for arguments in (["--id", "a"], ["--where", "day::time = 'x'"]):
        assert 2 == inspect(strange, *arguments).exit_code


def test_sizes_are_those_of_the_column_that_has_the_name(tmp_path: Path) -> None:
    structs = [{"a": 1, "b": [1]}] * 1000
    arrays = [pa.array(structs), pa.array(range(1000)), pa.array([None] * 1000, pa.int8())]
    table = pa.Table.from_arrays(arrays, ["s"] * 3)
    pq.write_table(table, tmp_path / "a.parquet")
    columns = inspection.open_files([str(tmp_path / "a.parquet")]).columns

    assert ["s", "s (2)", "s (3)"] == list(columns)
    assert [None, 0, 1000] == [column.nulls for column in columns.values()]
    assert columns["s (2)"].unpacked > 8000


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--sort", "text"], ["--where", "text = 'a'"]])
def test_a_damaged_row_group_is_named(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": list("abcd")}), path, row_group_size=2, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)
    done = inspect(path, *arguments)

    assert isinstance(done.exception, SourceError)
    assert "a.parquet: row group 1 cannot be read" in str(done.exception)
    assert [{"text": "a"}, {"text": "b"}] == lines(path, "--rows", 2)


def test_texts_are_those_of_a_run_only(folder: Path) -> None:
    done = inspect(folder, "--text")

    assert 2 == done.exit_code
    assert "give the --output of a run" in done.stderr


def test_maps_and_numbers_as_json() -> None:
    twice = pa.map_(pa.string(), pa.float64())

    assert {"a": None} == as_json([("a", float("nan"))], twice)
    assert [["a", 1.0], ["a", 2.0]] == json.loads(json.dumps(as_json([("a", 1.0), ("a", 2.0)], twice)))
    pairs = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
    assert {"a": "x"} == as_json([{"key": "a", "value": "x"}], pairs)
    assert [{"key": "a", "value": "x"}] * 2 == as_json([{"key": "a", "value": "x"}] * 2, pairs)
    nested = pa.schema([pa.field("s", pa.struct([pa.field("l", pa.list_(twice))]))])
    assert {"s": {"l": [{"k": 1.5}]}} == json.loads(as_json_line({"s": {"l": [[("k", 1.5)]]}}, nested))


def test_other_paths(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.json").write_text(
        json.dumps({"kind": "x\x1b", "files": {"a": {"rows": 3, "bytes": 5}, "b": {"rows": 4, "bytes": 6}}}), "utf-8"
    )
    done = inspect(folder / "manifest.json")

    assert "2 files, 7 rows, 11 bytes" in done.stdout
    assert "kind                x\\x1b" in done.stdout
    assert "b" in lines(folder / "manifest.json")[0]["files"]
    for path, said in ((tmp_path / "no", "no such file"), (folder / "manifest.json.parquet", "no such file")):
        failed = inspect(path)
        assert isinstance(failed.exception, SourceError)
        assert said in str(failed.exception)
    (tmp_path / "text.txt").write_text("no Parquet", "utf-8")
    assert "is no Parquet file" in str(inspect(tmp_path / "text.txt").exception)
    assert 12 == len(lines(f"{tmp_path}/*/*.parquet"))


def test_output_of_another_encoding(folder: Path) -> None:
    program = "import sys; from massivetext.cli import main; main()"
    command = [sys.executable, "-c", program, "inspect", str(folder), "--rows", "3", "--columns", "text"]
    for more in ([], ["--json"]):
        done = subprocess.run([*command, *more], capture_output=True, check=False, env={"PYTHONIOENCODING": "latin-1"})
        assert 0 == done.returncode, done.stderr
        assert b"\\u65e5" in done.stdout
