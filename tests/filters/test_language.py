import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import language


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
