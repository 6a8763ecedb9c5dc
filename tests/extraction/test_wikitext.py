"""MediaWiki markup to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.extraction.wikitext import to_text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", ""),
        ("'''Bold''' and ''italic''", "Bold and italic"),
        ("a [[link]], a [[target|label]], a [[Pipe (trick)|]]", "a link, a label, a Pipe"),
        ("[[w:Talk|x]] [[:Category:Birds]] [[Category:Birds|*]]", "x Category:Birds"),
        ("[[de:Vogel]] [[zh-min-nan:Chiáu]]", ""),
        ("see [http://a.b/c the site], [https://a.b], [sic], [a/b]", "see the site, , [sic], [a/b]"),
        ("a{{cite|x={{nested|[[y]]}}|z}}b", "ab"),
        ("a{{{parameter|default}}}b", "ab"),
        ("[[File:A.jpg|thumb|A [[bird]] in ''flight'']]Birds fly.", "Birds fly."),
        ("[[Datei:A.jpg|mini|Ein Vogel]][[Файл:A.jpg|Птица]]Vögel", "Vögel"),
        ('fact<ref name="a">{{cite}} source</ref>, another<ref name="a" />.', "fact, another."),
        ("a<!-- hidden -->b <nowiki>[[not a link]]</nowiki> c&nbsp;d &lt;e&gt;", "ab [[not a link]] c d <e>"),
        ("x<sup>2</sup><br />y", "x2\ny"),
        ("Tokyo ({{lang|ja|東京}}) is", "Tokyo is"),
        ("__NOTOC__\na", "a"),
        ("unclosed {{template\nnext line", "unclosed\nnext line"),
        ("unclosed [[link\nnext line", "unclosed link\nnext line"),
        ("unclosed <ref>note\nnext line", "unclosed note\nnext line"),
        ("stray }} and ]] and |}", "stray and ]] and |}"),
    ],
)
def test_markup(markup, expected):
    assert to_text(markup) == expected


def test_headings_and_lists_are_kept():
    markup = "Lead.\n== History ==\n* one\n** two\n* three\n# first\n# second\n## deeper\n# third\n; term\n: definition"

    assert to_text(markup) == (
        "Lead.\n\nHistory\n\n- one\n  - two\n- three\n1. first\n2. second\n  1. deeper\n3. third\nterm\n  definition"
    )


def test_a_section_without_text_loses_its_heading():
    markup = (
        "Lead.\n== Gallery ==\n<gallery>\nA.jpg\n</gallery>\n== Life ==\n=== Youth ===\nText.\n== Notes ==\n{{notes}}"
    )

    assert to_text(markup) == "Lead.\n\nLife\n\nYouth\n\nText."


def test_tables_of_numbers_go_and_tables_of_prose_stay():
    numbers = "{| class=wikitable\n! Year !! Population\n|-\n| 1990 || 120,000\n|-\n| 2000\n| 150,000\n|}"
    prose = (
        '{|\n|-\n| style="width:50%" | The house was built by two brothers in spring\n'
        "| It burned down in the great fire of the year\n|}"
    )

    assert to_text(f"a\n{numbers}\nb") == "a\n\nb"
    assert to_text(f"a\n{{|\n|\n{numbers}\n|}}\nb") == "a\n\nb"
    assert (
        to_text(prose) == "The house was built by two brothers in spring | It burned down in the great fire of the year"
    )


def test_code_keeps_its_indentation():
    assert to_text('a\n<syntaxhighlight lang="python">\ndef f():\n    return [[1]]\n</syntaxhighlight>') == (
        "a\n\ndef f():\n    return [[1]]"
    )


@given(st.text(alphabet="[]{}|=*#:;'<>/-! \nabrefFile&", max_size=200))
def test_any_markup_gives_text(markup):
    text = to_text(markup)

    assert "\0" not in text
    assert text == text.strip("\n")


def test_brackets_without_end_take_linear_time():
    """Four times the input must not take more than some four times the steps: a quadratic pass would not return."""
    for mark in ("{{", "[[", "\n{|\n", "<ref>", "<nowiki>", "[http://a ", "[[{{", "'", "="):
        assert "\0" not in to_text(mark * 100_000)


def test_real_pages_keep_their_prose(shared_data):
    import bz2
    import re
    from html import unescape

    dump = bz2.decompress((shared_data / "wikipedia" / "enwiki-206-pages.xml.bz2").read_bytes()).decode()
    pages = [unescape(page) for page in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL)]
    texts = [to_text(page) for page in pages if not page.startswith("#REDIRECT")]
    autism = next(text for text in texts if text.startswith("Autism is a"))

    assert sum(map(len, texts)) > 2_000_000
    assert "\n\nCharacteristics\n\nAutism is a highly variable neurodevelopmental disorder" in autism
    assert sum(text.count("{{") + text.count("<ref") for text in texts) <= 2
