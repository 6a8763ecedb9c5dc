"""C4's rules against the published code's order, written here once more in plain Python."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import c4
from filters.c4 import LineRules
from filters.limits import violations

GOOD = "This line has more than five words."
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def plain(text: str, *, least: int = 5, longest: int = 1000) -> tuple[str, dict[str, int], dict[str, int]]:
    """Clean one text line by line."""
    counts = dict.fromkeys(c4.LINE_COUNTS, 0)
    page = {"sentence_count": 0, "lorem_ipsum_count": 0, "curly_bracket_count": 0}
    kept = []
    for line in filter(None, (line.strip() for line in text.split("\n"))):
        counts["lines"] += 1
        if any(len(word) > longest for word in line.split()):
            counts["lines_long_word"] += 1
            continue
        line, n = re.subn(r"\[[0-9]*\]|\[edit\]|\[citation needed\]", "", line)
        counts["citations"] += n
        if not line.endswith((".", "?", "!", '"', "”")) or line.endswith(("...", "…")):
            counts["lines_no_terminal_punctuation"] += 1
            continue
        if len(line.split()) < least:
            counts["lines_few_words"] += 1
            continue
        page["lorem_ipsum_count"] += "lorem ipsum" in line.lower()
        if "javascript" in line.lower():
            counts["lines_javascript"] += 1
            continue
        page["curly_bracket_count"] += "{" in line
        if any(words in line.lower() for words in POLICY):
            counts["lines_policy"] += 1
            continue
        kept.append(line)
    return "\n".join(kept), counts, page


def cleaned(text: str, **rules: object) -> str:
    return str(c4.remove_lines(pa.array([text]), LineRules(**rules)).texts[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("Menu and more menu and more", "lines_no_terminal_punctuation"),
        ("This line has more than five words...", "lines_no_terminal_punctuation"),
        ("This line has more than five words…", "lines_no_terminal_punctuation"),
        ("It has four words.", "lines_few_words"),
        ("Please enable JavaScript in your own browser.", "lines_javascript"),
        ("By using this site you agree to the use of cookies.", "lines_policy"),
        ("Read our Privacy Policy before you go on.", "lines_policy"),
        ("This site uses cookies to work as it should.", "lines_policy"),
        ("We use cookies to make our site better.", "lines_policy"),
        ("See the cookie policy for more on it.", "lines_policy"),
        ("These are the Terms of Use of it all.", "lines_policy"),
        ("See this word: " + "a" * 1001 + " and that is all.", "lines_long_word"),
    ],
)
def test_each_rule_removes_its_line_and_is_counted(line: str, rule: str) -> None:
    result = c4.remove_lines(pa.array([f"{GOOD}\n{line}\n{GOOD}", GOOD]))

    assert [f"{GOOD}\n{GOOD}", GOOD] == result.texts.to_pylist()
    assert [3, 1] == result.counts.column("lines").to_pylist()
    assert {rule: 1} == {name: n for name in c4.LINE_COUNTS[1:] if (n := result.counts.column(name)[0].as_py())}


def test_lines_at_the_limits_stay() -> None:
    for line in (
        "It has just five words.",
        "See this word: " + "a" * 1000 + " and that is all.",
        'He said: "It is all right with me."',
        "He said: “It is all right with me.”",
        "Is it more than five words?",
        "A cookie is baked of flour and butter.",
    ):
        assert line == cleaned(line)


def test_each_rule_can_be_switched_off() -> None:
    assert "No end mark here at all" == cleaned("No end mark here at all", terminal_punctuation=False)
    assert "Short." == cleaned("Short.", min_words=0)
    assert "We use cookies here and there." == cleaned("We use cookies here and there.", policy=False)
    assert "We use javascript here and there." == cleaned("We use javascript here and there.", javascript=False)
    assert "The year[1] was a good year." == cleaned("The year[1] was a good year.", citations=False)
    long = "See this word: " + "a" * 1001 + " and so on."
    assert long == cleaned(long, max_word_length=0)


def test_citation_marks_are_taken_out_before_the_end_is_looked_at() -> None:
    result = c4.remove_lines(
        pa.array(["The year was a good one.[12]\nOne[citation needed] two[] three four five[edit]."])
    )

    assert ["The year was a good one.\nOne two three four five."] == result.texts.to_pylist()
    assert [4] == result.counts.column("citations").to_pylist()


def test_rules_of_pages_count_lines_that_no_earlier_rule_removed() -> None:
    texts = [
        f"{GOOD} {GOOD}\n{GOOD}",
        f"{GOOD}\nLorem ipsum dolor sit amet and so on.",
        f"{GOOD}\nfunction () {{ return 1; }}",
        f"{GOOD}\nThe function is {{ return one more }} here.",
        None,
    ]
    result = c4.remove_lines(pa.array(texts))

    assert [3, 2, 1, 2, 0] == result.page.column("sentence_count").to_pylist()
    assert [0, 1, 0, 0, 0] == result.page.column("lorem_ipsum_count").to_pylist()
    assert [0, 0, 0, 1, 0] == result.page.column("curly_bracket_count").to_pylist()
    assert result.texts[4].as_py() is None
    broken = violations(result.page, c4.Limits())
    assert [False, True, True, True, True] == broken["sentence_count"].tolist()


LINES = st.lists(
    st.text(alphabet='ab .?!"”…{[1]\xa0\u2003', max_size=30)
    | st.sampled_from(
        [GOOD, "Enable JavaScript now please, reader.", "We use cookies, so do you.", "x [edit] a b c d."]
    ),
    max_size=8,
)


@given(st.lists(LINES.map("\n".join), max_size=4), st.integers(1, 6), st.integers(1, 9))
def test_lines_agree_with_plain_python(texts: list[str], least: int, longest: int) -> None:
    result = c4.remove_lines(
        pa.array(texts, pa.large_string()), LineRules(min_words=least, max_word_length=longest)
    )  # fmt: skip
    expected = [plain(text, least=least, longest=longest) for text in texts]

    assert [row[0] for row in expected] == result.texts.to_pylist()
    assert [row[1] for row in expected] == result.counts.to_pylist()
    for name in ("lorem_ipsum_count", "curly_bracket_count"):
        assert [row[2][name] for row in expected] == result.page.column(name).to_pylist()


def test_chunked_and_sliced_texts_are_cleaned_alike() -> None:
    texts = pa.chunked_array([[GOOD, None], [f"x\n{GOOD}"]])

    assert [GOOD, None, GOOD] == c4.remove_lines(texts).texts.to_pylist()
    assert [None, GOOD] == c4.remove_lines(texts.combine_chunks()[1:]).texts.to_pylist()
    assert [] == c4.remove_lines(pa.array([], pa.string())).texts.to_pylist()
