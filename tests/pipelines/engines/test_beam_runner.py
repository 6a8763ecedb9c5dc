"""What is asked of a run before an engine gets it, and how its tasks get there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.errors import RecipeError
from pipelines.engines import Execution, check, dataflow, flex
from pipelines.engines.beam_runner import options_of
from pipelines.recipe import Recipe, read
from pipelines.tasks import Marker

CLOUD = ("--project=some-project", "--region=us-central1", "--temp_location=gs://bucket/tmp")


def recipe_of(tmp_path: Path, more: str = "", source: str = "gs://bucket/in/*.jsonl") -> Recipe:
    (tmp_path / "recipe.yaml").write_text(
        f"subsets: {{c4: {{sources: [{{format: jsonl, path: '{source}'}}], stages: [language]}}}}\n"
        f"{more}mixture: {{weights: {{c4: 1.0}}}}\n",
        "utf-8",
    )
    return read(str(tmp_path / "recipe.yaml"))


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("testsets: [{name: own, path: items.jsonl}]\n", "testsets.0.path"),
        ("tokenizer: pieces.model\n", "tokenizer"),
        ("language: {keep: {en: 0.5}, model: lid.bin}\n", "language.model"),
        ("safe_search: {block_lists: [hosts.txt]}\n", "safe_search.block_lists.0"),
        ("deduplication: {against: [first]}\n", "deduplication.against.0"),
    ],
)
def test_a_file_of_this_machine_is_out_of_dataflows_reach(tmp_path: Path, more: str, key: str) -> None:
    recipe = recipe_of(tmp_path, more)
    fault = dataflow.unreachable(recipe, "gs://bucket/out", has_image=False)

    assert fault is not None
    assert fault.startswith(f"{key}: {tmp_path}/")
    assert "copy it to a bucket" in fault
    in_image = dataflow.unreachable(recipe, "gs://bucket/out", has_image=True)
    assert (in_image is None) == (key != "deduplication.against.0")


def test_sources_and_output_must_be_on_a_store(tmp_path: Path) -> None:
    assert dataflow.unreachable(recipe_of(tmp_path), "gs://bucket/out", has_image=False) is None
    fault = dataflow.unreachable(recipe_of(tmp_path), "/data/out", has_image=True)
    assert (
        fault
        == "--output /data/out: is on this machine, where workers of DataflowRunner cannot write; give a gs:// URL"
    )
    fault = dataflow.unreachable(recipe_of(tmp_path, source="in/*.jsonl"), "gs://bucket/out", has_image=True)
    assert fault is not None
    assert fault.startswith(f"subsets.c4.sources.0.path: {tmp_path}/in/*.jsonl is on this machine")


def test_a_local_folder_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_of(tmp_path)
    monkeypatch.setattr(dataflow, "has_client", lambda: True)
    arguments = ["run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"), "--runner", "DataflowRunner"]
    result = CliRunner().invoke(commands, [*arguments, "--", *CLOUD])

    assert isinstance(result.exception, RecipeError)
    assert 2 == result.exception.exit_status
    assert f"--output {tmp_path}/out: is on this machine" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_options_that_dataflow_needs_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of(tmp_path)
    monkeypatch.setattr(dataflow, "has_client", lambda: True)
    with pytest.raises(RecipeError, match="Missing required option: project"):
        check(recipe, "gs://bucket/out", Execution("DataflowRunner", beam_options=()))
    with pytest.raises(RecipeError, match="--template_location: the main job is four jobs"):
        check(
            recipe,
            "gs://bucket/out",
            Execution("DataflowRunner", beam_options=(*CLOUD, "--template_location=gs://bucket/t")),
        )
    monkeypatch.setattr(dataflow, "has_client", lambda: False)
    with pytest.raises(RecipeError, match=r"pip install 'massivetext\[dataflow\]'"):
        check(recipe, "gs://bucket/out", Execution("DataflowRunner", beam_options=CLOUD))
    # Another engine may share a folder with this machine.
    check(recipe, str(tmp_path), Execution("PortableRunner", beam_options=("--job_endpoint=embed",)))


def test_options_of_a_job() -> None:
    held = options_of("DataflowRunner", CLOUD, 12 << 30).get_all_options()
    assert 1 == held["number_of_worker_harness_threads"]
    assert [f"min_ram={12 << 30}B"] == held["resource_hints"]
    assert Path(held["requirements_file"]).exists()
    (wheel,) = held["extra_packages"]
    assert wheel.endswith("-py3-none-any.whl")

    mine = ("--sdk_container_image=image", "--number_of_worker_harness_threads", "4")
    held = options_of("DataflowRunner", (*CLOUD, *mine), 1 << 30).get_all_options()
    assert (4, None, None) == tuple(
        held[name] for name in ("number_of_worker_harness_threads", "requirements_file", "extra_packages")
    )
    assert options_of("FlinkRunner", (), 1 << 30).get_all_options()["requirements_file"] is None


def test_the_job_of_a_template_runs_the_main_job(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"text": "the tale of the long war and of what became of all the people in it"}\n' * 3, "utf-8"
    )
    recipe_of(tmp_path, "language: {keep: {en: 0.0}}\n", source="in.jsonl")
    marker = tmp_path / "out" / "work" / "done" / "curate" / "c4"
    flex.main(["--recipe", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"), "--runner=FnApiRunner"])

    (found,) = marker.glob("*.json")
    held = Marker.read(str(found))
    assert held is not None
    assert 3 == held.counts["records"]
    assert list((tmp_path / "out" / "mixture").rglob("*.parquet"))
