"""Tokenizers as they are found: truncation, special strings, BOS and EOS beside the file, folders, tiktoken."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer as Fast
from tokenizers import decoders, models, pre_tokenizers, trainers

from massivetext.errors import RecipeError
from massivetext.packing import sequences
from massivetext.packing.blocks import check
from massivetext.tokenizers import TOKENS_VERSION, counter, read_tokenizer, tokenizer_file, tokens_mark
from tests.packing.conftest import Write, words

SPECIAL = ("<s>", "</s>", "<|endoftext|>", "[SEP]")
TEXTS = [f"word{i} hello world endoftext | the end of s {i}" for i in range(300)]


def train(path: Path, special: tuple[str, ...] = SPECIAL, **settings: object) -> str:
    """A BPE of bytes, as GPT-2's is."""
    fast = Fast(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"vocab_size": 400, "special_tokens": list(special), "initial_alphabet": alphabet, "show_progress": False}
    fast.train_from_iterator(TEXTS, trainers.BpeTrainer(**options))
    if "truncation" in settings:
        fast.enable_truncation(settings["truncation"])
    if "padding" in settings:
        fast.enable_padding(length=settings["padding"])
    path.parent.mkdir(exist_ok=True)
    fast.save(str(path))
    return str(path)


def test_truncation_and_padding_are_switched_off_and_said(tmp_path: Path) -> None:
    plain = read_tokenizer(train(tmp_path / "plain.json"))
    cut = read_tokenizer(train(tmp_path / "cut.json", truncation=64, padding=64))

    texts = [" ".join(["hello"] * n) for n in (10, 100, 1000, 5000)]
    sizes = [len(ids) for ids in cut.encode(texts)]

    assert [len(ids) for ids in plain.encode(texts)] == sizes
    assert sizes[0] < 64 < sizes[1] < sizes[2] < sizes[3]
    assert sizes == counter(tmp_path / "cut.json")(pa.array(texts, pa.large_string())).tolist()
    assert () == plain.notes
    assert ["truncation (max_length 64)", "padding (length 64)"] == [
        note.partition("saved with ")[2].partition(",")[0] for note in cut.notes
    ]


def test_sequences_have_all_tokens_of_a_tokenizer_that_was_saved_with_truncation(
    tmp_path: Path, write_mixture: Write
) -> None:
    folder = write_mixture({"books": [words(80, i) for i in range(40)]}, {"books": 1.0})
    plain, cut = train(tmp_path / "plain.json"), train(tmp_path / "cut.json", truncation=64, padding=64)

    def passed(tokenizer: str) -> list[bytes]:
        return [one.tobytes() for one in sequences(folder, tokenizer=tokenizer, length=32, eos="</s>", epochs=1)]

    whole = passed(plain)
    # Of truncation and of padding.
    with pytest.warns(UserWarning, match=r"saved with truncation \(max_length 64\)"), pytest.warns(match="padding"):
        assert whole == passed(cut)
    assert 40 * 64 < 32 * len(whole)


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"direction": "left", "pad_to_multiple_of": 8, "pad_token": "</s>"}, "padding (to the longest text)"),
        ({"direction": "left", "length": 128, "pad_token": "</s>"}, "padding (length 128)"),
    ],
)
def test_any_padding_is_switched_off(tmp_path: Path, settings: dict[str, object], note: str) -> None:
    fast = Fast.from_file(train(tmp_path / "a.json"))
    fast.enable_padding(**settings)
    fast.save(str(tmp_path / "a.json"))
    tokenizer = read_tokenizer(tmp_path / "a.json")

    assert [f"{tmp_path / 'a.json'}: was saved with {note}, which is switched off here"] == list(tokenizer.notes)
    assert [2, 4] == [len(ids) for ids in tokenizer.encode(["hello", "hello hello hello"])]  # "h" is a piece of its own


@pytest.mark.parametrize("piece", SPECIAL)
@pytest.mark.parametrize("is_marked", [True, False])
def test_special_strings_in_a_text_are_text(tmp_path: Path, piece: str, is_marked: bool) -> None:
    path = train(tmp_path / "a.json")
    data = json.loads(Path(path).read_text("utf-8"))
    for token in data["added_tokens"]:
        token["special"] = is_marked or token["content"] == "[SEP]"
    Path(path).write_text(json.dumps(data), "utf-8")
    tokenizer = read_tokenizer(path, bos="<s>", eos="<|endoftext|>")
    text = f"hello {piece} world {piece}{piece}"

    (ids,) = tokenizer.encode([text])

    fast = Fast.from_file(path)
    assert fast.token_to_id(piece) not in ids
    assert text == fast.decode(ids.tolist(), skip_special_tokens=False)


def test_a_vocabulary_of_words_has_the_special_string_as_a_word(tmp_path: Path) -> None:
    fast = Fast(models.WordLevel({"</s>": 0, "<unk>": 1, "hello": 2, "world": 3}, unk_token="<unk>"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast.add_special_tokens(["</s>", "<unk>"])
    fast.save(str(tmp_path / "words.json"))

    (ids,) = read_tokenizer(tmp_path / "words.json").encode(["hello </s> world other"])

    assert [2, 1, 1, 3, 1] == ids.tolist()


def test_eos_comes_from_the_config_beside_or_is_refused(tmp_path: Path) -> None:
    path = train(tmp_path / "model" / "tokenizer.json")
    several = read_tokenizer(path)
    assert (several.bos, several.eos) == (0, None)
    with pytest.raises(RecipeError, match=r"several of its pieces could be the EOS token: </s>, <\|endoftext\|>"):
        check(several, 16)
    assert 1 == read_tokenizer(path, eos="</s>").eos
    config = {"bos_token": None, "eos_token": {"content": "<|endoftext|>", "special": True}}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(config))

    found = read_tokenizer(tmp_path / "model")

    assert (found.bos, found.eos) == (None, 2)
    assert 1 == read_tokenizer(path, eos="</s>").eos
    with pytest.raises(RecipeError, match="has no BOS token"):
        check(found, 16)
    (tmp_path / "model" / "tokenizer_config.json").write_text("[]")
    with pytest.raises(RecipeError, match="is no JSON object"):
        read_tokenizer(path)


PIECE = "a string, an object whose content is a string, or null"


@pytest.mark.parametrize("key", ["bos_token", "eos_token"])
@pytest.mark.parametrize("value", [5, True, [1], {}, {"content": 5}, "\ud800"])
def test_a_config_beside_with_a_value_that_is_no_piece(tmp_path: Path, key: str, value: object) -> None:
    path = train(tmp_path / "tokenizer.json")
    beside = tmp_path / "tokenizer_config.json"
    beside.write_text(json.dumps({key: value}))

    with pytest.raises(RecipeError, match=re.escape(f"tokenizer: {beside}: {key}: {value!r}; expected {PIECE}.")):
        read_tokenizer(path)


@pytest.mark.parametrize("content", ["[]", "5", "null", "", '{"eos_token":', "[" * 100_000])
def test_a_config_beside_that_is_no_object(tmp_path: Path, content: str) -> None:
    path = train(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(content)

    with pytest.raises(RecipeError, match=r"tokenizer_config\.json: is no JSON object: "):
        read_tokenizer(path)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (5, "added_tokens: 5; expected a list"),
        ({"a": 1}, "added_tokens: {'a': 1}; expected a list"),
        ([1], "added_tokens[0]: 1; expected an object"),
        ([{"content": "a", "id": "x"}], "added_tokens[0]: {'content': 'a', 'id': 'x'}; expected an object"),
        ([{"content": "a", "id": -1}], "added_tokens[0]: {'content': 'a', 'id': -1}; expected an object"),
        ([{"content": 5, "id": 1}], "added_tokens[0]: {'content': 5, 'id': 1}; expected an object"),
    ],
)
def test_added_tokens_that_are_none(tmp_path: Path, added: object, message: str) -> None:
    path = Path(train(tmp_path / "tokenizer.json"))
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "added_tokens": added}))

    with pytest.raises(RecipeError, match=re.escape(f"tokenizer: {path}: {message}")):
        read_tokenizer(path)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (5, "added_tokens_decoder: 5; expected an object of ids"),
        ({"300": 5}, "added_tokens_decoder.300: 5; expected an id, and an object"),
        ({"300": {"content": 5}}, "added_tokens_decoder.300: {'content': 5}; expected an id, and an object"),
        ({"x": {"content": "a"}}, "added_tokens_decoder.x: {'content': 'a'}; expected an id, and an object"),
        ({"9" * 12: {"content": "a"}}, f"added_tokens_decoder.{'9' * 12}: {{'content': 'a'}}; expected an id"),
    ],
)
def test_added_tokens_of_a_tiktoken_file_that_are_none(tmp_path: Path, added: object, message: str) -> None:
    (tmp_path / "mine.tiktoken").write_bytes(b"YQ== 0\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))

    with pytest.raises(RecipeError, match=re.escape(f"{tmp_path}/tokenizer_config.json: {message}")):
        read_tokenizer(tmp_path / "mine.tiktoken")


def test_an_empty_file_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "a.model").touch()

    with pytest.raises(RecipeError, match=r"tokenizer: .*a\.model: is an empty file"):
        read_tokenizer(tmp_path / "a.model")


def test_names_are_not_looked_up_and_folders_are(tmp_path: Path, model: str) -> None:
    with pytest.raises(RecipeError, match=r"tokenizer: gpt2: there is no such file\. Nothing is downloaded"):
        read_tokenizer("gpt2")
    with pytest.raises(RecipeError, match=r"is a folder without any of tokenizer\.json"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(Path(model).read_bytes())
    assert f"{tmp_path}/tokenizer.model" == tokenizer_file(tmp_path)
    assert (read_tokenizer(model).digest, 1) == (read_tokenizer(tmp_path).digest, read_tokenizer(tmp_path).bos)


def test_a_tiktoken_file(tmp_path: Path) -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed here: pip install tiktoken")
    ranks = {bytes([i]): i for i in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258, b"hello": 259, b" w": 260}
    lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items()]
    (tmp_path / "mine.tiktoken").write_bytes(b"".join(lines))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(
            {"eos_token": "<|end|>", "bos_token": "<|end|>", "added_tokens_decoder": {"300": {"content": "<|end|>"}}}
        )
    )

    found = read_tokenizer(tmp_path / "mine.tiktoken")

    assert tiktoken is not None
    assert ("tiktoken", 300, 300, 301) == (found.kind, found.bos, found.eos, found.vocabulary)
    (ids,) = found.encode([b"hello world<|end|>"])
    assert [259, 260, *b"orld<|end|>"] == ids.tolist()
    assert ids.dtype == np.int32
    assert "cut as by cl100k_base" in found.notes[0]


def test_counts_are_of_a_file_and_of_how_it_is_read(tmp_path: Path, model: str) -> None:
    path = train(tmp_path / "a.json")

    assert read_tokenizer(model).digest == tokens_mark(Path(model))
    assert f"{read_tokenizer(path).digest} tokens-{TOKENS_VERSION}" == tokens_mark(path)
