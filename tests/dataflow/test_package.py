"""What a worker installs: the wheel made of the code that runs here, and the sdist of Beam's `--setup_file`."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from apache_beam.internal import pickler

from massivetext.dedup.phases import BY_GROUP, EXCHANGES, Step
from pipelines.curate import Curate
from pipelines.decontaminate import Decontaminate
from pipelines.deduplicate import Phases
from pipelines.engines import worker_package
from pipelines.engines.flex import RunAll
from pipelines.input_splits import find_parts
from pipelines.mix import ShardTask, WriteShards
from pipelines.recipe import read
from pipelines.run_folder.fingerprints import part_tasks
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker, PartTask
from pipelines.transforms.final_ledger import LedgerTask
from pipelines.transforms.run_steps import RunSteps

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = (
    "massivetext/data/unicode-14.npz",
    "massivetext/data/lid.176.ftz",
    "massivetext/data/salient.npz",
    "massivetext/report/page.html",
    "filters/data/safe_search.ftz",
    "filters/data/terms.tsv",
    "pipelines/recipe/packaged/gopher.yaml",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs, and nothing else of the project."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(worker_package.wheel()) as archive:
        archive.extractall(folder)
    return folder


def python(installed: Path, program: str, *arguments: str) -> str:
    """What a program says in a process that has the installed package, this interpreter's packages, and no checkout:
    -S leaves out the hooks of packages that are installed as a checkout."""
    paths = [str(installed), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *_shared()]
    program = f"import sys; sys.path[:0] = {paths!r}\n{program}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments],
        cwd=installed.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def _shared() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def corpus(tmp_path: Path, stages: str = "pii") -> tuple[Folder, list[PartTask]]:
    tales = "".join(f"the tale of {n} and of what became of {n} in the long war\n" for n in range(40))
    (tmp_path / "in.txt").write_text(tales, "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets: {news: {sources: [{format: lines, path: in.txt}], stages: [STAGES]}}\n"
        "quality: {word_count: {min: 5}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
        "mixture: {weights: {news: 1.0}}\n".replace("STAGES", stages),
        "utf-8",
    )
    recipe = read(str(tmp_path / "recipe.yaml"))
    folder = Folder(str(tmp_path / "out"))
    return folder, part_tasks(folder, recipe, find_parts(recipe))


def test_the_wheel_has_the_code_and_data_of_the_checkout(installed: Path) -> None:
    files = {
        path.relative_to(REPOSITORY).as_posix()
        for package in worker_package.PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}

    assert set(DATA) <= held
    assert files == {name for name in held if ".dist-info" not in name}
    record = next(installed.glob("*.dist-info/RECORD")).read_text()
    assert held == {line.split(",")[0] for line in record.splitlines()}


def test_requirements_pin_what_runs_here() -> None:
    lines = Path(worker_package.requirements()).read_text().splitlines()

    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][^ ]*", line) for line in lines)
    assert {"numba", "pyarrow", "fastwarc", "pydantic"} <= {line.partition("==")[0] for line in lines}
    assert not any(line.startswith("apache-beam") for line in lines)


def test_every_task_and_transform_is_had_by_a_process_with_the_package_only(installed: Path, tmp_path: Path) -> None:
    folder, tasks = corpus(tmp_path)
    recipe = read(str(tmp_path / "recipe.yaml"))
    phases = [name for names in EXCHANGES for name in names] + list(BY_GROUP)
    values = [
        *tasks,
        LedgerTask(folder, "news", tasks[0].part.name, (), "f"),
        ShardTask(folder, "main", "shard", 0, folder.path("deal"), 1, "f"),
        *(Step(folder.path("scope"), phase, 0) for phase in phases),
        *(Curate(folder, recipe), Decontaminate(folder, recipe), Phases(), WriteShards(), RunSteps(), RunAll()),
    ]
    (tmp_path / "values").write_bytes(pickler.dumps(values))
    said = python(
        installed,
        "from apache_beam.internal import pickler\n"
        "for value in pickler.loads(open(sys.argv[1], 'rb').read()):\n"
        "    print(type(value).__qualname__, getattr(value, 'marker', ''))\n"
        "import pipelines; print(pipelines.__file__)",
        str(tmp_path / "values"),
    ).splitlines()
    names = [f"{type(value).__qualname__} {getattr(value, 'marker', '')}".rstrip() for value in values]

    assert names == [line.rstrip() for line in said[:-1]]
    assert str(installed / "pipelines" / "__init__.py") == said[-1]


def test_tasks_run_in_such_a_process(installed: Path, tmp_path: Path) -> None:
    folder, tasks = corpus(tmp_path)
    recipe = read(str(tmp_path / "recipe.yaml"))
    (tmp_path / "work").write_bytes(pickler.dumps((Curate(folder, recipe), tasks)))
    python(
        installed,
        "from apache_beam.internal import pickler\n"
        "from pipelines.engines.local import run_here\n"
        "run_here(*pickler.loads(open(sys.argv[1], 'rb').read()))",
        str(tmp_path / "work"),
    )
    marker = Marker.read(tasks[0].marker)

    assert marker is not None
    assert 40 == marker.counts["records"]


@pytest.mark.heavy
def test_beams_setup_file_builds_what_a_bare_environment_runs(tmp_path: Path) -> None:
    """Beam's own stager builds the sdist; it is installed as a worker does, after the requirements, and runs."""
    # Its module, for a folder build/ that an installation has left is importable too.
    pytest.importorskip("build.env", reason="`--setup_file` needs `build`: make test-dataflow has it")
    from apache_beam.runners.portability.stager import Stager

    sdist = Stager._build_setup_package(f"{REPOSITORY}/pyproject.toml", str(tmp_path))
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(DATA) <= names
    venv.create(tmp_path / "bare", with_pip=True)
    worker = tmp_path / "bare" / "bin"
    for arguments in (["-r", worker_package.requirements(), "apache-beam>=2.77,<2.78"], [sdist]):
        done = subprocess.run(
            [worker / "pip", "install", "--quiet", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert 0 == done.returncode, done.stderr
    corpus(tmp_path, "language, quality, repetition, deduplication")
    command = [worker / "massivetext", "run", tmp_path / "recipe.yaml", "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert list((tmp_path / "out" / "mixture").rglob("*.parquet"))
