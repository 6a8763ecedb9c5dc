"""What docs/loading.md prints is run as it is printed; the frameworks' parts where these are installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.loader.conftest import document, write_curated, write_mixture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "loading.md"
NEEDS = {"PyTorch": "torch", "Hugging Face datasets": "datasets", "Grain": "grain", "JAX": "sentencepiece"}


def sections() -> dict[str, str]:
    """The Python of each section that has some."""
    found = {}
    for section in re.split(r"^##? ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        if blocks := re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            found[title] = "\n".join(blocks)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("loading")
    write_mixture(f"{found}/DIR/mixture/main", write_curated(f"{found}/DIR"))
    return found


@pytest.mark.parametrize("title", sections())
def test_the_code_of_the_page_works(
    title: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if title in NEEDS:
        pytest.importorskip(NEEDS[title], reason=f"{NEEDS[title]} is not installed here: `make test-loaders` runs this")
    if title == "JAX":
        _train(folder / "text")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    names: dict[str, object] = {}
    exec(compile("import massivetext\n" + sections()[title], str(PAGE), "exec"), names)

    said = capsys.readouterr().out
    expected = {"Loading documents": "256 ['text', 'n_tokens']", "Weights on the fly": "'wikipedia': {'documents': "}
    assert expected.get(title, "") in said
    if title == "JAX":
        assert (names["targets"].shape[1], "uint16") == (127, str(names["targets"].dtype))


def test_every_section_of_code_is_run() -> None:
    assert {"Loading documents", "Epochs", "Weights on the fly", "Ranks, and resuming", *NEEDS} == set(sections())


def _train(prefix: Path) -> None:
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        sentence_iterator=iter([str(document("books", i, 20)["text"]) for i in range(200)]),
        model_prefix=str(prefix),
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
