"""The engine `salient`: what of a page is kept, and how it is written."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from massivetext.errors import RecordError
from massivetext.extraction import extract, html, vocabulary
from massivetext.extraction.context import N_CONTEXT
from massivetext.extraction.features import FEATURES, FIRST_PAGE_COLUMN, measure
from massivetext.extraction.salient import PAGE_TYPES, choose_blocks, extract_page, load_model
from tests.checked import checked_environment

TOPICS = ("harbour", "railway", "library", "orchard", "museum", "theatre", "bridge", "market")


def prose(topic: str, n: int = 3) -> str:
    sentences = (
        f"The {topic} was opened again last week after two years of repairs, which cost more than had been planned.",
        f"Visitors who came to the {topic} on the first morning said that they hardly recognised the place.",
        f"According to the council, the {topic} will stay open in winter, when most people have time to see it.",
    )
    return " ".join(sentences[i % 3] for i in range(n))


def article(topic: str = "harbour", inner: str = "") -> str:
    paragraphs = "".join(f"<p>{prose(topic, n)} Part {k} ends.</p>" for k, n in enumerate((3, 2, 3, 4, 2)))
    return f'<div class="article"><h1>News from the {topic}</h1>{paragraphs}{inner}</div>'


def page(body: str, title: str = "News from the harbour") -> bytes:
    navigation = "".join(f'<li><a href="/{topic}">All about the {topic}</a></li>' for topic in TOPICS)
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title><script>var a = '<p>no text</p>';</script></head><body>"
        f'<div class="header"><a href="/">Daily Paper</a><ul class="nav">{navigation}</ul></div>{body}'
        '<div class="footer"><a href="/imprint">Imprint</a> <a href="/contact">Contact</a></div></body></html>'
    ).encode()


def test_the_article_is_kept_and_navigation_is_not():
    text = extract(page(article()))

    assert text.startswith("News from the harbour\n\nThe harbour was opened again last week")
    assert text.count("\n\n") == 5
    assert "All about the" not in text
    assert "Imprint" not in text
    assert "no text" not in text


def test_formatting():
    inner = (
        "<h2>What to bring</h2>"
        "<ul><li>A warm coat, because it is windy at the quay and there is no shelter."
        "<ul><li>Gloves and a hat are a good idea, say those who have been there.</ul>"
        "<li>Some food for the day, since the only kiosk is closed until the summer.</ul>"
        "<p>Lines of a poem on the wall of the harbour office, written by a sailor:<br>The sea is wide, "
        "the sea is deep,"
        "<br>and&nbsp;all&nbsp;the ships have gone to sleep.</p>"
        "<pre>for ship in harbour:\n    if ship.late:\n        wait(ship) &amp;&amp; <b>report</b>(ship)</pre>"
        f"<p>{prose('harbour', 4)}</p>"
    )
    text = extract(page(article(inner=inner)))

    assert (
        "\n\nWhat to bring\n\n"
        "- A warm coat, because it is windy at the quay and there is no shelter.\n"
        "  - Gloves and a hat are a good idea, say those who have been there.\n"
        "- Some food for the day, since the only kiosk is closed until the summer.\n\n"
        "Lines of a poem on the wall of the harbour office, written by a sailor:\n"
        "The sea is wide, the sea is deep,\n"
        "and all the ships have gone to sleep.\n\n"
        "for ship in harbour:\n    if ship.late:\n        wait(ship) && report(ship)\n\n"
    ) in text


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("next story", article("railway")),
        ("next stories", article("railway") + article("library") + article("museum")),
        (
            "teasers",
            '<div class="block"><h2>Read on</h2>'
            + "".join(
                f'<div class="item"><h3><a href="/{t}">The {t}</a></h3><p>{prose(t, 1)}</p></div>' for t in TOPICS[1:]
            )
            + "</div>",
        ),
        (
            "remarks",
            '<div class="list">'
            + "".join(
                f'<div class="row"><span>User {i}</span><div>12.3.2021</div><p>{prose(t, 2)}</p></div>'
                for i, t in enumerate(TOPICS[1:])
            )
            + "</div>",
        ),
    ],
)
def test_what_follows_the_article_is_left_out(name, tail):
    text = extract(page(article() + tail))

    assert prose("harbour", 4) in text
    assert not any(topic in text for topic in TOPICS[1:]), name


@pytest.mark.parametrize(
    ("sentence", "script"),
    [
        ("港口在经过两年的修理之后于上周重新开放，费用比计划的要高。许多游客说他们几乎认不出这个地方了。", "Chinese"),
        (
            "Порт был снова открыт на прошлой неделе после двух лет ремонта, который стоил дороже, чем планировалось.",
            "Cyrillic",
        ),
        ("أعيد افتتاح الميناء الأسبوع الماضي بعد عامين من الإصلاحات، وكانت التكلفة أعلى مما كان مخططا له.", "Arabic"),
        ("Der Hafen wurde letzte Woche nach zwei Jahren wieder eröffnet, was mehr kostete, als geplant war.", "German"),
    ],
)
def test_languages(sentence, script):
    body = "<div><h1>1</h1>" + "".join(f"<p>{k}: {sentence * 3}</p>" for k in range(4)) + "</div>"
    text = extract(page(body))

    assert text.count(sentence) == 12, script
    assert "All about the" not in text


def test_noscript_with_paragraphs_is_kept():
    assert prose("harbour", 4) in extract(page(f"<noscript>{article()}</noscript>"))


def test_json_ld_counts_only_when_little_else_is_found():
    script = (
        f'<script type="application/ld+json">{json.dumps({"@graph": [{"articleBody": prose("bridge", 6)}]})}</script>'
    )

    assert extract(page(script + '<div id="app"></div>')) == prose("bridge", 6)
    assert "bridge" not in extract(page(script + article()))


def test_json_ld_with_markup_and_broken_json():
    broken = '<script type="application/ld+json">{"articleBody": </script>'
    body = json.dumps({"articleBody": "<p>" + prose("bridge", 3) * 2 + "<p>x"})
    script = f'<script type="application/ld+json">{body}</script>'

    assert extract(page(broken + script)) == prose("bridge", 3) * 2 + "\n\nx"


def test_text_that_is_not_utf8_is_read_again():
    body = article().replace("harbour", "Größenmaß")

    assert extract(page(body)) == extract(page(body).decode().encode("cp1252"))
    assert "Größenmaß" in extract(page(body).decode().encode("utf-16"))
    assert "Größenmaß" in extract(page(body).decode().encode("cp1252"), content_type="text/html; charset=iso-8859-1")


N = 100_000
HOSTILE = {
    "nested divs": b"<div>" * N + b"word" + b"</div>" * N,
    "open divs": b"<div>" * N + b"word",
    "long text": b"<p>" + b"word " * 10_000_000,
    "attributes": b"<div " + b" ".join(b'a%d="b"' % i for i in range(1_000_000)) + b">word",
    "one long class": b'<div class="' + b"nav " * 1_000_000 + b'">word',
    "no body": b"<html><head><title>word</title></head>",
    "empty": b"",
    "utf-7": b"<meta charset=utf-7>+ADw-script+AD4-alert()+ADw-/script+AD4-",
    "half a surrogate": b"\xff\xfe<\x00p\x00>\x00\x00\xd8a\x00",
    "surrogate in utf-8": b"<p>\xed\xa0\x80 word",
    "frames": b"<frameset><frame src=a><noframes>no frames</noframes></frameset>",
    "angles": b"<" * 1_000_000,
    "end tags": b"<div>" + b"<section>" * N + b"</div>" * N,
    "no such element": b"<div>" * 50_000 + b"</section>" * 500_000,
    "open quotes": b'<a href="' * N,
    "open comments": b"<!--" * N,
    "open scripts": b"<script>" * N,
    "open svg": b"<svg>" * N,
    "nested lists": b"<ul><li>a" * 60_000,
    "nested tables": b"<table><tr><td>a" * 40_000,
    "line breaks in a list": b"<ul><ul><ul><li>" + b"a<br>" * N,
    "entities": b"<p>" + b"&#65;&nbsp;&#xD800;&#0;" * N,
    "ampersands": b"&" * N,
    "json": b'<script type="application/ld+json">' + b"[" * N + b"</script>",
    "open json": b'<script type="application/ld+json">' * N,
    "zeros": b"<p>word" * 1000 + b"\0" * 10,
    "broken gbk": b"<meta charset=gbk><p>" + b"\x81" * N,
    "cut tag": b"<p>word<div class=",
    "cut end tag": b"<p>word</",
    "cut entity": b"<p>word&nbs",
    "cut character": "<p>wörd".encode()[:-2],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_give_text(name):
    if name in ("half a surrogate", "entities"):
        with pytest.raises(RecordError, match="unknown encoding"):
            extract(HOSTILE[name])
        return
    text = extract(HOSTILE[name])

    assert "\0" not in text
    assert "\r" not in text
    text.encode()


def test_a_page_of_too_many_elements_is_cut():
    whole = html.parse(b"<p>a" * (html.MAX_NODES - 1))
    cut = html.parse(b"<p>a" * html.MAX_NODES)

    assert (len(whole.blocks), whole.cut) == (html.MAX_NODES - 1, False)
    assert (len(cut.blocks), cut.cut) == (html.MAX_NODES - 1, True)
    assert extract(b"<p>a" * (html.MAX_NODES + 1), url="http://a/")


def test_blocks_of_a_page():
    tree = html.parse(
        b"<p>One <a href=x>two</a>.<p>Three<ul><li>4<li>5</ul><div>six<br><br>seven</div><td>8&nbsp;&#160;</td>&nbsp;"
    )
    columns = [html.CHARS, html.LINK_CHARS, html.WORDS, html.SENTENCES, html.DIGITS]

    assert tree.blocks[:, columns].tolist() == [
        [7, 3, 2, 1, 0],
        [5, 0, 1, 0, 0],
        [1, 0, 1, 0, 1],
        [1, 0, 1, 0, 1],
        [3, 0, 1, 0, 0],
        [5, 0, 1, 0, 0],
        [1, 0, 1, 0, 1],
    ]
    assert [vocabulary.TAGS[tree.tag[node]] for node in tree.blocks[:, html.NODE]] == [
        "p",
        "p",
        "li",
        "li",
        "div",
        "div",
        "td",
    ]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (b'<div class="relatedPosts">a', {"related"}),
        (b'<div class="post-sidebar">a', {"content", "side"}),
        (b'<div class="navy">a', set()),
        (b'<div id="mainNav">a', {"content", "navigation"}),
        (b'<div role=navigation style="color:red; display: none">a', {"navigation", "hidden"}),
        (b"<div hidden>a", {"hidden"}),
    ],
)
def test_hints_of_names(markup, expected):
    tree = html.parse(markup)

    assert {name for bit, name in enumerate(vocabulary.HINTS) if tree.hints[1] >> bit & 1} == expected


def test_the_model_fits_the_features():
    model = load_model()
    tree = html.parse(page(article()))
    measured = measure(page(article()), tree)

    assert np.isfinite(measured.values).all()
    assert measured.values.shape == (len(tree.blocks), len(FEATURES))
    second, types = model.trees.first[[model.second, model.types]]
    assert int(model.trees.feature[:types].max()) < len(FEATURES)
    assert int(model.trees.feature[:second].min()) >= N_CONTEXT
    assert int(model.trees.feature[types:].max()) < len(FEATURES) - FIRST_PAGE_COLUMN
    assert model.trees.output[: model.types].tolist() == [0] * model.types
    assert set(model.trees.output[model.types :].tolist()) == set(range(len(PAGE_TYPES)))


def test_the_package_is_small():
    assert files("massivetext").joinpath("data/salient.npz").stat().st_size < 2_000_000


def test_probabilities_and_threshold_are_between_0_and_1():
    chosen = choose_blocks(page(article()), html.parse(page(article())), load_model())

    assert ((chosen.p >= 0) & (chosen.p <= 1)).all()
    assert 0 < chosen.threshold < 1
    assert chosen.keep.any()


def posts(n: int) -> str:
    return "".join(
        f'<div class="post message"><span class="username">member{i}</span><time>2021-03-{i + 10}</time>'
        f'<div class="content"><p>{prose(topic, 2)}</p></div><a href="#reply">Reply</a></div>'
        for i, topic in enumerate(TOPICS[:n])
    )


def test_a_page_says_its_type():
    thread = (
        '<script type="application/ld+json">{"@type": "DiscussionForumPosting"}</script>'
        f'<div class="thread forum"><h1>What is open in the harbour?</h1>{posts(6)}</div>'
    )

    assert extract_page(page(article())).page_type == "article"
    assert extract_page(page(thread), url="https://example.org/forum/threads/1").page_type == "forum"
    assert extract_page(b"").page_type == ""


def test_in_a_thread_the_posts_are_the_text():
    thread = (
        '<script type="application/ld+json">{"@type": "DiscussionForumPosting"}</script>'
        f'<div class="thread forum"><h1>What is open in the harbour?</h1>{posts(6)}</div>'
    )
    text = extract(page(thread))

    assert all(prose(topic, 2) in text for topic in TOPICS[:6])
    assert "All about the" not in text


def test_favour_moves_the_threshold():
    body = page(article(inner="<p>Read more</p><div>Harbour, Monday</div>"))
    tree = html.parse(body)
    low, middle, high = (
        choose_blocks(body, tree, load_model(), favour=favour).threshold
        for favour in ("recall", "balance", "precision")
    )

    assert low <= middle <= high
    assert low < high


FUZZ = """
import random, sys
from massivetext.extraction import extract
from massivetext.errors import MassiveTextError
pieces = [
    b"<", b">", b"</", b"<p>", b"</p>", b"<div class='a nav'>", b"</div>", b"<ul>", b"<ol>", b"<li>",
    b"</ul>", b"<br>", b"<pre>", b"</pre>", b"<table>", b"<tr>", b"<td>", b"</td>", b"</table>",
    b"<a href=x>", b"</a>", b"<script>", b"</script>", b"<!--", b"-->", b"<h1>", b"</h1>", b"<title>",
    b"</title>", b"<b>", b"&nbsp;", b"&#160;", b"&amp", b";", b"word ", b". ", b"\\n", b"'", b'"', b"=",
    "\\u4e2d\\u3002".encode(), b"\\xe4", b"\\xc2", b"\\xa0", b"\\xef\\xbc", b"\\xe3\\x80", b"<noscript>",
    b"<svg", b"<hr>", b"<dt>", b"<dd>", b"<blockquote>", b"<p style='display:no",
    b"Some longer text that ends a sentence, with a comma. " * 5, b"<span hidden>", b"</span>", b"<ruby>", b"<rt>",
    b"</ruby>", b"<math>", b"</math>", b"<mi>x</mi>", b"<td colspan=9 rowspan=3>", b"<ol reversed start=-7>", b"<svg>",
    b"</svg>", b"<![CDATA[", b"]]>", b"<template>", b"<plaintext>", b"<xmp>", b"<img class=tex alt='a'>", b"<select>",
    b"<p style='clip:rect(0", b"<div class='lineno cookie-bar d-md-block'>", b"12", b"<details><summary>", b"<!--->",
    b"<ol start=-9999999>",
]
for seed in range(int(sys.argv[1])):
    chance = random.Random(seed)
    page = b"".join(chance.choice(pieces) for _ in range(chance.randrange(120)))
    try:
        text = extract(page, format=chance.choice(("text", "markdown")), comments="keep", captions="keep")
    except MassiveTextError:
        continue
    assert "\\0" not in text and "\\r" not in text
    text.encode()
print("done")
"""


def test_kernels_stay_in_their_arrays():
    """Random pieces of markup, with numba's bounds checks on."""
    result = subprocess.run(
        [sys.executable, "-c", FUZZ, "3000"], env=checked_environment(), capture_output=True, text=True, timeout=500
    )

    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout == "done\n"


def test_an_entity_of_more_digits_than_python_converts() -> None:
    page = b"<p>" + b"The man went to the market, and that was all there was to it. " * 9 + b"</p>"

    assert extract(page.replace(b"</p>", b"&#" + b"9" * 5000 + b";.</p>")).endswith("to it. \ufffd.")
