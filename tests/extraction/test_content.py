"""What is no page, plain text, unreadable text, and the options of extract."""

from __future__ import annotations

import json

import pytest

from massivetext.errors import RecordError
from massivetext.extraction import extract
from massivetext.extraction.content import ContentError, check_content, is_plain_text
from massivetext.extraction.structured import structured_text


@pytest.mark.parametrize(
    "page",
    [
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>",
        b"\n%PDF-1.7",
        b'{"a": "<p>text</p>"}',
        b'\xef\xbb\xbf {"a": 1}',
        b"[1, 2]",
        b"[]",
        b'[{"a": 1, "b": "cut',
        b")]}',\n[1]",
        b"GIF89a is an image",
        b"P3\n# by hand\n2 2\n255\n0 0 0",
        b"/* XPM */\nstatic char * a[] = {",
        b'<svg xmlns="http://www.w3.org/2000/svg"><text>a</text></svg>',
        b'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "a" "b">\n<svg>',
        b'<?xml version="1.0"?>\n<rss version="2.0"><channel>',
        b"%!PS-Adobe-3.0",
        b"{\\rtf1\\ansi",
    ],
)
def test_what_is_no_page_is_skipped(page):
    with pytest.raises(ContentError) as caught:
        extract(page, url="http://a/")

    assert caught.value.reason == "skipped.content"


@pytest.mark.parametrize(
    "page",
    [
        b"[1] A note at the beginning. <p>Text",
        b"{{ title }} <p>Text",
        b"<table><tr><td>Text",
        b"<!doctype html><svg></svg><p>Text",
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>Text',
        b"Text about %PDF-1.4",
        b"",
    ],
)
def test_pages_are_no_such_content(page):
    check_content(page)


def test_plain_text_keeps_its_lines():
    page = "First line\r\n  second so\u00adft\n\n\n<b>third</b>".encode("utf-16-le")

    assert extract(page, content_type="text/plain; charset=utf-16") == "First line\n  second soft\n\n\n<b>third</b>"


def test_a_text_that_cannot_be_read_fails():
    sentence = "A sentence of fifty characters, all in plain text."

    assert len(sentence) == 50
    assert extract((sentence[:49] + "\ufffd").encode(), content_type="text/plain").endswith("\ufffd")
    with pytest.raises(RecordError) as caught:
        extract((sentence[:48] + "\ufffd").encode(), content_type="text/plain")

    assert caught.value.reason == "encoding"


@pytest.mark.parametrize("option", ["comments", "tables", "headings", "captions", "format"])
def test_unknown_values_of_options(option):
    with pytest.raises(ValueError, match=f"extraction option {option}: 'no' is not one of "):
        extract(b"<p>a", **{option: "no"})


def page_of(value: object) -> bytes:
    return b'<script type="application/ld+json">' + json.dumps(value).encode() + b"</script>"


def test_json_ld_of_articles_and_threads():
    thread = {
        "@type": "DiscussionForumPosting",
        "headline": "Which tea?",
        "text": "I look for a tea.",
        "comment": [{"@type": "Comment", "text": "Try <b>green</b> tea."}, {"@type": "Comment", "text": "Or black."}],
    }
    questions = {
        "@type": "QAPage",
        "mainEntity": {
            "@type": "Question",
            "name": "How long?",
            "text": "How long does tea take?",
            "acceptedAnswer": {"@type": "Answer", "text": "Three minutes."},
            "suggestedAnswer": [{"@type": "Answer", "text": "Five."}],
        },
    }

    assert structured_text(page_of({"@graph": [{"@type": "NewsArticle", "articleBody": "A body."}]})) == "A body."
    assert structured_text(page_of(thread)) == "Which tea?\n\nI look for a tea.\n\nTry green tea.\n\nOr black."
    assert structured_text(page_of(questions)) == "How long?\n\nHow long does tea take?\n\nThree minutes.\n\nFive."
    assert structured_text(page_of({"@type": "ImageObject", "text": "Not a post."})) == ""
    assert structured_text(b'<script type="application/ld+json">{</script>') == ""


STORY = "".join(
    f"<p>Part {k} of the story tells, at some length, how the harbour of the town was built, and by whom.</p>"
    for k in range(6)
)
EXTRA = (
    "<h2>A heading of the story</h2><p>The heading is followed by a paragraph that is long enough to be kept here.</p>"
    "<table><tr><th>Year</th><th>Ships</th></tr><tr><td>1850</td><td>312</td></tr></table>"
    "<figure><img src=a><figcaption>The harbour, seen from the hill in the north.</figcaption></figure>"
)


def options_of(**options: str) -> str:
    page = f"<article><h1>The harbour</h1>{STORY}{EXTRA}{STORY.replace('Part', 'Piece')}</article>"
    return extract(page.encode(), **options)


def test_options_add_and_remove_what_they_name():
    assert "seen from the hill" in options_of(captions="keep")
    assert "seen from the hill" not in options_of(captions="drop")
    assert "1850" not in options_of(tables="drop")
    assert "A heading of the story" in options_of()
    assert "A heading of the story" not in options_of(headings="drop")
    assert "\n\n## A heading of the story\n\n" in options_of(format="markdown")


def test_comments_by_option():
    comments = "".join(
        f"<div class=comment><b>Reader {k}</b><p>I saw the harbour as a child, and it was {k} times as large.</p></div>"
        for k in range(5)
    )
    page = f"<article>{STORY}</article><div id=comments>{comments}</div>".encode()

    assert extract(page, comments="keep").count("I saw the harbour") == 5
    assert "I saw the harbour" not in extract(page, comments="drop")


@pytest.mark.parametrize("head", [b"", b'<?xml version="1.0"?>', b"\xef\xbb\xbf"])
@pytest.mark.parametrize("comment", [b"<!---->", b"<!-- a -->\n", b"<!--a-->  "])
def test_a_hundred_comments_at_the_beginning_take_no_time(head, comment):
    """A pattern that could end a comment at any later `-->` tried 2^99 ways."""
    check_content(head + comment * 100 + b"<p>text")
    assert is_plain_text(comment * 100 + b"text", "text/plain")
    assert not is_plain_text(comment * 50 + b"<html>", "text/plain")
    with pytest.raises(ContentError):
        check_content(head.removeprefix(b"\xef\xbb\xbf") + comment * 50 + b'<svg xmlns="http://www.w3.org/2000/svg">')


def test_comments_of_an_image_take_no_time():
    check_content(b"P1\n" + b"# \n" * 300 + b"x")
    with pytest.raises(ContentError):
        check_content(b"P1\n" + b"# \n" * 30 + b"8 8\n0")
