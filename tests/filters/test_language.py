import unicodedata

import fasttext
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import language
from massivetext.errors import RecipeError
from massivetext.fasttext.sample import MARK


def slow(text):
    out = []
    for c in text:
        if not c.isspace():
            out.append(c)
        elif not out or out[-1] != " ":
            out.append(" ")
    n, joined = len(out), "".join(out)
    if n > 1536:
        low = (n - 512) // 2
        joined = joined[:512] + " " + joined[low : low + 512] + " " + joined[-512:]
    upper = sum(unicodedata.category(c) == "Lu" for c in joined)
    if 2 * upper > sum(unicodedata.category(c) in ("Lu", "Ll", "Lt") for c in joined):
        joined = "".join(c.lower() for c in joined)
    return "" if joined.isspace() else joined


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\u3000\x85\u2028é")),
            st.integers(1, 400),
        )
    )
)
def test_samples_agree_with_plain_python(pieces):
    texts = [piece * times for piece, times in pieces]

    assert [slow(text) for text in texts] == language.samples(pa.array(texts, pa.string()))


def test_lengths_around_the_limit():
    texts = ["".join(chr(0x4E00 + i) for i in range(n)) for n in (1535, 1536, 1537, 1538, 9001)]

    assert [slow(text) for text in texts] == language.samples(pa.array(texts))


def test_broken_names_the_reason():
    columns = pa.RecordBatch.from_pydict({"language": ["en", "en", "de"], "language_score": [0.65, 0.6499, 0.9]})
    masks = {reason: mask.tolist() for reason, mask in language.broken(columns, {"en": 0.65}).items()}
    expected = {
        "language.language": [False, False, True],
        "language.language_score": [False, True, False],
    }

    assert expected == masks


def test_samples_of_slices_at_any_offset():
    texts = ["a b", "é" * 2000, " \u2003 x" * 3000, "\u3000字" * 900, "", "plain text  with\ttabs" * 200]
    array = pa.array(["x" * i + text for i, text in enumerate(texts * 9)])

    for start in range(len(texts)):
        assert [slow(text) for text in array[start:].to_pylist()] == language.samples(array[start:])


@pytest.mark.parametrize(
    "text", ["\0" * 5000, "a" * 50_000_000, "\n" * 100_000, "\u200f\u202e" * 4000, "\U0010ffff" * 3000, "."]
)
def test_hostile_text_gets_an_answer(text):
    columns = language.measure(pa.array([text, "This is a plain sentence in the English language."]))

    assert "en" == columns.column("language")[1].as_py()
    assert 0 <= columns.column("language_score")[0].as_py() <= 1


def test_no_text_is_und():
    columns = language.measure(pa.array(["", None, " \n\t\u3000"], pa.string()))

    assert {"language": ["und"] * 3, "language_score": [0.0] * 3, "languages": [[]] * 3} == columns.to_pydict()


def test_a_missing_or_damaged_model_is_named(tmp_path):
    damaged = tmp_path / "model.ftz"
    damaged.write_bytes(b"not a model")

    with pytest.raises(RecipeError, match=r"language\.model: no file at .*absent\.ftz"):
        language.measure(pa.array(["text"]), model=tmp_path / "absent.ftz")
    with pytest.raises(RecipeError, match=r"language\.model: .*model\.ftz: not a fastText model"):
        language.measure(pa.array(["text"]), model=damaged)


def test_a_text_whose_last_character_crosses_a_mark_is_sampled_alone():
    """Found by fuzzing: the mark that was not set was that of another text, and so was the sample."""
    crossing = "x" * (MARK - 2) + "\u2fd2"
    for n in range(9):
        first = "Ein ganz anderer Text " + "a" * n

        assert [first, crossing] == language.samples(pa.array([first, crossing]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABcd 12", "ABcd 12"),  # half of the letters: not more than half
        ("ABCde", "abcde"),
        ("ABCdef 字字字", "ABCdef 字字字"),  # letters without case do not count
        ("ΑΒΓΣ", "αβγσ"),  # each code point by itself: no final sigma
        ("İSTANBUL Ⱥ", "i\u0307stanbul ⱥ"),
        ("ǅǅ A", "ǅǅ A"),  # title-case letters have case, and are no capitals
        ("ⅣⅣ a", "ⅣⅣ a"),  # numerals are no letters
        ("𐐀𐐁 ᲐᲑ", "𐐨𐐩 აბ"),
        ("ÀÉa" * 600, "àéa" * 170 + "àé" + " " + "aàé" * 170 + "aà" + " " + "éa" + "àéa" * 170),
    ],
)
def test_a_sample_in_capitals_is_lower_cased(text, expected):
    assert [expected] == language.samples(pa.array([text]))


def test_the_capitals_are_those_of_the_sample():
    """The head, middle and tail decide, not what lies between them."""
    quiet = "a" * 512 + "B" * 2000 + "a" * 512 + "B" * 2000 + "a" * 512

    assert ["a" * 512 + " " + "a" * 512 + " " + "a" * 512] == language.samples(pa.array([quiet]))


def test_english_in_capitals_is_english():
    text = "IT WAS THE BEST OF TIMES, IT WAS THE WORST OF TIMES, IT WAS THE AGE OF WISDOM"
    columns = language.measure(pa.array([text, text.lower()]))

    assert ["en", "en"] == columns.column("language").to_pylist()
    assert columns.column("language_score")[0].as_py() == columns.column("language_score")[1].as_py() >= 0.65


def test_scores_are_rounded_as_python_rounds():
    texts = ["Guten Tag", "the", "le chat", "x", "1 2 3", "привет как дела"] * 3
    library = fasttext.load_model(str(language.MODEL))
    labels, values = library.predict(texts, k=3)
    columns = language.measure(pa.array(texts))
    expected = [
        [{"language": name[9:], "score": round(min(float(value), 1.0), 4)} for name, value in zip(*row)]
        for row in zip(labels, values)
    ]

    assert expected == columns.column("languages").to_pylist()
    assert language.LANGUAGES == columns.schema.field("languages").type


def test_the_codes_are_those_of_the_packaged_model():
    assert language.CODES == {*language.load(str(language.MODEL)).labels, "und"}
