"""What is installed where: the base for trainers, the extra `pipeline`, and requirements for workers."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engines import worker_package

REPOSITORY = Path(__file__).resolve().parent.parent

# Nothing but the standard library and what the base names can be imported; what is refused is told.
BASE_ALONE = """
import sys
class Base:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if not known and top not in ("massivetext", "numpy", "pyarrow"):
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
sys.meta_path.insert(0, Base())
"""


def _extras() -> dict[str, list[str]]:
    """install_requires as `base`, and the extras of setup.cfg, comments left out."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    found = {"base": parser["options"]["install_requires"], **dict(parser["options.extras_require"])}
    return {
        name: [line.strip() for line in lines.splitlines() if line.strip() and not line.strip().startswith("#")]
        for name, lines in found.items()
    }


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()


def _python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )


def test_the_base_is_numpy_and_pyarrow() -> None:
    assert ["numpy", "pyarrow"] == [_name(requirement) for requirement in _extras()["base"]]


def test_workers_get_what_the_extra_names() -> None:
    """Beam comes with a worker's image; all else is pinned within the bounds of setup.cfg."""
    pinned = dict(line.split("==") for line in Path(worker_package.requirements()).read_text("utf-8").splitlines())

    declared = {_name(requirement): requirement for requirement in (*_extras()["base"], *_extras()["pipeline"])}
    assert set(declared) - {"apache-beam"} == {name.lower() for name in pinned}
    for name, version in pinned.items():
        for bound, edge in re.findall(r"(>=|<)([0-9.]+)", declared[name.lower()]):
            is_below = _numbers(version) < _numbers(edge)
            assert is_below == (bound == "<"), (name, version, bound, edge)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def test_importing_takes_less_than_half_a_second() -> None:
    """CPU seconds of the import alone, which are some hundredths."""
    program = "import time; a = time.process_time(); import massivetext; print(time.process_time() - a)"

    assert 0.5 > min(float(_python(program).stdout) for _ in range(3))


@pytest.mark.parametrize("name", ["load", "sequences"])
def test_what_trainers_install_loads_neither_beam_nor_a_compiler(name: str) -> None:
    program = (
        f"import sys, massivetext; massivetext.{name}; "
        "print([m for m in ('apache_beam', 'numba', 'pandas', 'click', 'pydantic') if m in sys.modules])"
    )

    assert "[]\n" == _python(program).stdout


def test_documents_are_loaded_with_the_base_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "texts.parquet")
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["one", "two"], "subset": ["x", "x"]}), path)
    program = BASE_ALONE + (
        "import massivetext\n"
        "print(sorted(row['text'] for row in massivetext.load(sys.argv[1])))\n"
        "print(sum('torch' in name for name in sys.modules))\n"
    )

    done = _python(program, path)

    assert "['one', 'two']\n0\n" == done.stdout, done.stderr


@pytest.mark.parametrize(("content", "package"), [(b"{}", "tokenizers"), (b"\x0a", "sentencepiece")])
def test_sequences_say_which_package_they_miss(tmp_path: Path, content: bytes, package: str) -> None:
    path = str(tmp_path / "texts.parquet")
    pq.write_table(pa.table({"text": ["one", "two"]}), path)
    (tmp_path / "model").write_bytes(content)
    program = BASE_ALONE + (
        "import massivetext\n"
        "from massivetext.errors import DependencyError\n"
        "try: massivetext.sequences(sys.argv[1], tokenizer=sys.argv[2])\n"
        "except DependencyError as error: print(error)\n"
    )

    done = _python(program, path, str(tmp_path / "model"))

    assert done.stdout.startswith(f"{package} is not installed, which it takes to read "), done.stderr
    assert f"pip install {package}, or 'massivetext[pipeline]'" in done.stdout


def test_the_command_line_says_that_it_needs_the_extra() -> None:
    done = _python(BASE_ALONE + "from massivetext.cli import main")

    assert "massivetext: the command line needs more than the library: pip install 'massivetext[pipeline]'\n" == (
        done.stderr
    )
    assert 1 == done.returncode


def test_workers_get_the_kernels_that_lie_with_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in `__pycache__` are for this machine alone."""
    for name in ("__init__.py", "compiled/a.nbi", "__pycache__/b.nbi", "__pycache__/__init__.cpython-311.pyc"):
        path = tmp_path / "sent_to_workers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(worker_package, "PACKAGES", ("sent_to_workers",))

    names = [name for name, _ in worker_package._files()]

    assert ["sent_to_workers/__init__.py", "sent_to_workers/compiled/a.nbi"] == names


@pytest.mark.heavy
def test_a_wheel_has_the_kernels_that_lie_with_the_package(tmp_path: Path) -> None:
    """pip fetches setuptools."""
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for package in ("massivetext", "filters", "pipelines"):
        ignore = shutil.ignore_patterns("__pycache__", "compiled")
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=ignore)
    (tmp_path / "massivetext" / "compiled").mkdir()
    (tmp_path / "massivetext" / "compiled" / "one.nbi").write_text("")

    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."]
    subprocess.run(command, check=True, cwd=tmp_path)

    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"massivetext/compiled/one.nbi", "massivetext/data/NOTICE", "filters/rules.py"} <= names


@pytest.mark.heavy
def test_a_trainer_installs_the_base_alone(tmp_path: Path) -> None:
    """A fresh environment, as a trainer makes it; pip fetches numpy and pyarrow."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pq.write_table(pa.table({"text": ["one", "two"]}), tmp_path / "texts.parquet")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(REPOSITORY)], check=True, cwd=tmp_path)

    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    names = {_name(line) for line in listed.stdout.splitlines()}
    program = "import massivetext; print(len(list(massivetext.load('texts.parquet'))), massivetext.__file__)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert {"massivetext", "numpy", "pyarrow", "pip", "setuptools"} >= names
    assert done.stdout.startswith("2 ")
    assert str(tmp_path) in done.stdout
