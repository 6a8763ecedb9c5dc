"""The parser and the renderer: what of a page's markup is text, and how it is written. Every block is kept here."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction.finish import finish
from massivetext.extraction.options import Options
from massivetext.extraction.prepare import read
from massivetext.extraction.render import render

MARKDOWN = Options(format="markdown")


def text_of(markup: str, options: Options = Options(), *, xhtml: bool = False) -> str:  # noqa: B008
    page, tree = read(markup.encode(), xhtml=xhtml)
    keep = np.ones(len(tree.blocks), np.bool_)
    return finish(render(page, tree, keep, options).decode(), options)


STORY = "<p>The first paragraph of the story tells the reader about the long history of the town.</p>"
SECRET = "hidden modal text"

HIDING = [
    'style="display:none"',
    'style="display: none !important"',
    'style="DISPLAY : NONE"',
    "style='color:red;display:none;'",
    "style=display:none",
    'style="/* x */ display:/**/none"',
    'style="display:none!important;display:block"',
    'style="position:absolute;left:-1000%"',
    'style="overflow:clip;height:0"',
    'style="visibility:hidden"',
    'style="VISIBILITY: Hidden"',
    'style="visibility:collapse"',
    'style="content-visibility:hidden"',
    'style="position:absolute;left:-9999px"',
    'style="position: absolute; top: -10000px"',
    'style="text-indent:-999em"',
    'style="text-indent: 100%; white-space: nowrap; overflow: hidden"',
    'style="clip: rect(0 0 0 0)"',
    'style="clip:rect(1px, 1px, 1px, 1px);position:absolute"',
    'style="clip-path: inset(50%)"',
    'style="width:1px;height:1px;overflow:hidden"',
    'style="height:0;overflow:hidden"',
    'style="font-size:0"',
    "hidden",
    "HIDDEN",
    'hidden=""',
    'hidden="hidden"',
    'hidden="until-found"',
    'aria-hidden="true"',
    "aria-hidden=TRUE",
    'class="sr-only"',
    'class="note visually-hidden"',
    'class="screen-reader-text"',
    'class="visuallyHidden"',
    'class="SR-ONLY"',
    'class="d-none"',
    'class="hidden"',
    'class="element-invisible"',
    "popover",
]


@pytest.mark.parametrize("attribute", HIDING)
@pytest.mark.parametrize("tag", ["p", "div", "span", "section", "a", "b", "li", "x-note", "button"])
def test_hidden_text_is_left_out(attribute, tag):
    text = text_of(
        f"<div>{STORY}<p>Before. <{tag} {attribute}>{SECRET}</{tag}> After.</p>{STORY[:-5]} Twice.</p></div>"
    )

    assert SECRET not in text
    assert "Before." in text
    assert "After." in text
    assert "long history" in text


@pytest.mark.parametrize("attribute", HIDING)
def test_what_is_in_a_hidden_element_is_hidden_too(attribute):
    inner = f"<h2>{SECRET}</h2><ul><li>{SECRET}</ul><p>{SECRET}<span>{SECRET}</span></p>"

    for tag in ("div", "span", "section", "x-dialog"):
        text = text_of(f"<body>{STORY * 3}<{tag} {attribute}>{inner}</{tag}><p>After.</p>{STORY}")

        assert SECRET not in text
        assert "After." in text


@pytest.mark.parametrize(
    "markup",
    [
        f"<dialog>{SECRET}</dialog>",
        f'<div role="dialog">{SECRET}</div>',
        f'<div role=alertdialog class="collapse">{SECRET}</div>',
        f'<div class="cookie-banner">{SECRET}</div>',
        f'<div id="cookieConsent"><p>{SECRET}</p></div>',
        f'<div id="onetrust-banner-sdk">{SECRET}</div>',
        f'<section class="gdpr_notice">{SECRET}</section>',
        f'<div class="cc-window cc-floating">{SECRET}</div>',
        f"<ruby>word<rp>(</rp><rt>{SECRET}</rt><rp>)</rp></ruby>",
        f"<ruby>word<rt>{SECRET}</ruby>",
        f"<template><p>{SECRET}</template>",
        f"<svg><title>{SECRET}</title><svg><text>a</text></svg><text>{SECRET}</text></svg>",
    ],
)
def test_other_elements_that_no_reader_sees(markup):
    text = text_of(f"<body>{STORY * 3}{markup}<p>After.</p>")

    assert SECRET not in text
    assert "After." in text


@pytest.mark.parametrize(
    "markup",
    [
        "<dialog open>Shown text</dialog>",
        '<div aria-hidden="false">Shown text</div>',
        '<div style="display:block">Shown text</div>',
        '<div style="display:none;display:block">Shown text</div>',
        '<div style="margin-left:-10px;top:-20px">Shown text</div>',
        '<div style="opacity:0">Shown text</div>',
        '<div style="background:url(none)">Shown text</div>',
        '<div class="hidden md:block">Shown text</div>',
        '<div class="d-none d-lg-block">Shown text</div>',
        '<div class="unhidden hidden-xs">Shown text</div>',
        '<div class="accordion-body" style="display:none">Shown text</div>',
        '<div class="tab-panel" hidden>Shown text</div>',
        '<div role="tabpanel" aria-hidden="true">Shown text</div>',
        '<div class="faq-answer" style="display: none">Shown text</div>',
        "<details><summary>More</summary>Shown text</details>",
        "<noscript><p>Shown text</p></noscript>",
        '<article class="post category-cookies tag-gift-box">Shown text</article>',
        '<x-card><template shadowrootmode="open"><p>Shown text</p></template></x-card>',
        '<input type="hidden" hidden>Shown text',
        "<svg/>Shown text",
        "<svg><path d=x><p>Shown text",
        "<span hidden></span>Shown text",
        "<p><span hidden>a</p><p>Shown text",
    ],
)
def test_what_a_reader_can_see_is_kept(markup):
    assert "Shown text" in text_of(f"<body>{STORY * 3}{markup}")


def test_a_page_that_is_hidden_as_a_whole_is_kept():
    for attribute in ("hidden", 'style="display:none"', 'class="invisible"', "aria-hidden=true"):
        for tag in ("div", "x-app", "span"):
            main = "".join(
                f"<p>Paragraph {k} of the story, which a script shows when it has loaded.</p>" for k in range(9)
            )
            text = text_of(f"<p>Loading.</p><{tag} {attribute}>{main}</{tag}><p hidden>{SECRET}</p>")

            assert text.count("of the story") == 9, (attribute, tag)
    assert "long history" in text_of(f'<html style="display:none"><body hidden style="visibility:hidden">{STORY}')


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a<!--->b<p>c-->d", "ab\n\nc-->d"),
        ("a<!-->b", "ab"),
        ("a<!-- x --!>b", "ab"),
        ("a<!-- x -- y -->b", "ab"),
        ("a<script><!-- <script> document.write('</script>') --></script>b", "ab"),
        ("a<script>x = '<!--'; y = '<b>'</script>b", "ab"),
        ("a<svg><![CDATA[</svg>x]]></svg>b", "ab"),
        ("a<svg><!-- </svg> --></svg>b", "ab"),
        ("a<p>b<plaintext>c</plaintext> <b>d", "a\n\nb\n\nc</plaintext> <b>d"),
        ("<xmp><b>a</b> &amp;</xmp>b", "<b>a</b> &amp;\n\nb"),
        ("a<script/>b</script>c", "ac"),
        ("a</>b</ x>c<?x y?>d<!doctype x>e", "abcde"),
        ("x < y and <3", "x < y and <3"),
        ("&lt;b&gt; &amp;amp;&nbsp;c", "<b> &amp; c"),
    ],
)
def test_markup_by_the_standard(markup, expected):
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    "markup",
    [
        "<script/><p>Shown",
        "<title/><p>Shown",
        "<iframe/><p>Shown",
        "<style /><p>Shown",
        '<a id="x"/><p>Shown',
        "<div hidden='hidden'/><p>Shown",
        "<span hidden='hidden'/>Shown",
        "<textarea/>Shown",
    ],
)
def test_empty_elements_of_xhtml(markup):
    assert text_of(markup, xhtml=True) == "Shown"
    assert text_of("<p>a<iframe/>b</p>", xhtml=True) == "ab"


FORMULAS = [
    (
        '<span class="katex"><span class="katex-mathml"><math xmlns="x"><semantics><mrow><mi>E</mi></mrow>'
        '<annotation encoding="application/x-tex">E = mc^2</annotation></semantics></math></span>'
        '<span class="katex-html" aria-hidden="true"><span class="mord">E</span><span>=mc2</span></span></span>',
        "E = mc^2",
    ),
    (
        '<span class="mwe-math-element"><span class="mwe-math-mathml-inline mwe-math-a11y" style="display: none">'
        '<math alttext="{\\displaystyle E=mc^{2}}"><semantics><mi>E</mi><annotation encoding="application/x-tex">'
        "{\\displaystyle E=mc^{2}}</annotation></semantics></math></span>"
        '<img class="mwe-math-fallback-image-inline" aria-hidden="true" alt="{\\displaystyle E=mc^{2}}"></span>',
        "E=mc^{2}",
    ),
    ('<img class="mwe-math-fallback-image-inline" alt="E=mc^{2}" src="x">', "E=mc^{2}"),
    ('<img class="tex" alt="E=mc^{2}"/>', "E=mc^{2}"),
    ("<img src=x alt='E &lt; m' class='latex'>", "E < m"),
    ('<math alttext="a_{1}"><msub><mi>a</mi><mn>1</mn></msub></math>', "a_{1}"),
    (
        "<math><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mfrac><mi>a</mi><mi>b</mi></mfrac></math>",
        "x^2 + \\frac{a}{b}",
    ),
    ("<math><msqrt><mi>x</mi></msqrt></math>", "\\sqrt{x}"),
    ("<math><msup><mi>x</mi><mrow><mi>a</mi><mi>b</mi></mrow></msup></math>", "x^{a b}"),
    ('<script type="math/tex">a < b</script>', "a < b"),
    (
        '<span class="MathJax_Preview">a?b</span><span class="MathJax"><span>a</span></span>'
        '<script type="math/tex">a_b</script>',
        "a_b",
    ),
]


@pytest.mark.parametrize(("markup", "source"), FORMULAS)
def test_formulas(markup, source):
    assert text_of(f"<p>It is {markup} here.</p>") == f"It is {source} here."
    assert text_of(f"<p>It is {markup} here.</p>", MARKDOWN) == f"It is ${source}$ here."


def test_displayed_formulas():
    page = '<p>So <script type="math/tex; mode=display">a</script> and <math display="block"><mi>b</mi></math>.</p>'

    assert text_of(page) == "So a and b."
    assert text_of(page, MARKDOWN) == "So $$a$$ and $$b$$."


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            "<pre><div class=line>def f():</div><div class=line>    return 1</div><div class=line></div>"
            "<div class=line>f()</div></pre>",
            "def f():\n    return 1\n\nf()",
        ),
        ("<pre><code><span class=line>a</span>\n<span class=line>  b</span></code></pre>", "a\n  b"),
        ("<pre>\n\n  a\n</pre>", "  a"),
        ("<pre><ol class=linenums><li>a = 1</li><li>  b</li></ol></pre>", "a = 1\n  b"),
        ("<ul><li>Do <pre>a\n  b</pre></li><li>c</li></ul>", "- Do\n  a\n    b\n- c"),
        (
            "<table><tr><td class=gutter><pre>1\n2\n</pre></td><td class=code><pre>a\n  b</pre></td></tr></table>",
            "a\n  b",
        ),
        ("<pre><span class=lineno>1 </span>a\n<span class='linenos'>2 </span> b</pre>", "a\n b"),
        ("<pre>x = <span class='token number'>42</span></pre>", "x = 42"),
        ("<pre>a<br>b</pre>", "a\nb"),
    ],
)
def test_code(markup, expected):
    assert text_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<table><tr><td>a<td><td>c<tr><td>d<td>e<td>f</table>", "a |  | c\nd | e | f"),
        ("<table><tr><td><td>b<td>c</table>", "| b | c"),
        ("<table><tr><th colspan=2>a<th>c<tr><td>d<td>e<td>f</table>", "a |  | c\nd | e | f"),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e</table>", "a | b\nc\nd | e"),
        ("<table><tr><td rowspan=2>a<td>b<td>x<tr><td>c<td>y</table>", "a | b | x\n| c | y"),
        ("<table><tr><td colspan=junk>a<td colspan=-1>b</table>", "a | b"),
        ("<ol start=5><li>a<li>b</ol>", "5. a\n6. b"),
        ("<ol><li>a<li value=7>b<li>c</ol>", "1. a\n7. b\n8. c"),
        ("<ol reversed><li>a<li>b<li>c</ol>", "3. a\n2. b\n1. c"),
        ("<ol reversed start=10><li>a<li>b</ol>", "10. a\n9. b"),
        ("<ol start=-1><li>a<li>b<li>c</ol>", "-1. a\n0. b\n1. c"),
        ("<ol start=0><li>a</ol><ol><li>b</ol>", "0. a\n1. b"),
        ("<ruby>\u6f22<rp>(</rp><rt>kan</rt><rp>)</rp>\u5b57<rt>ji</rt></ruby>\u3002", "\u6f22\u5b57\u3002"),
        (
            "<p>so\u00adft hy&shy;phen ze\u200bro&#8203;width no\u2060break \ufeffmark</p>",
            "soft hyphen zerowidth nobreak mark",
        ),
        ("<p>a</p><p>&#8203;</p><p>\u200b</p><p>b</p>", "a\n\nb"),
        ("<p>a\u200db \u200e c</p>", "a\u200db \u200e c"),
        ("<details><summary>Sum</summary><p>a</p></details>", "Sum\n\na"),
    ],
)
def test_structure(markup, expected):
    assert text_of(markup) == expected


def test_a_long_line_comes_once():
    line = "x" * 80
    longer = "y" * 81

    assert text_of(f"<p>{line}<p>a<p>{line}") == f"{line}\n\na\n\n{line}"
    assert text_of(f"<p>{longer}<p>a<p>{longer}<p>b") == f"{longer}\n\na\n\nb"
    assert text_of(f"<p>{longer}<ul><li>{longer}<li>b</ul>") == f"{longer}\n\n- b"


def test_markdown():
    page = (
        "<h2>Head</h2><p>A <a href=x>link</a>, <b>bold</b> and <code>f(x)</code> code.</p><ul><li>a<ol><li>b</ol></ul>"
        '<pre class="brush: python">def f():\n    pass</pre><div class="highlight-ruby notranslate"><div class=a>'
        "<pre>puts</pre></div></div><pre><code class='language-js hljs'>x;</code></pre>"
        "<table><tr><th>n<th>v|w<tr><td>1<td><tr><td>2<td>x<br>y</table><blockquote><p>Said.</p></blockquote>"
    )

    assert text_of(page, MARKDOWN) == (
        "## Head\n\nA link, bold and `f(x)` code.\n\n- a\n  1. b\n\n"
        "```python\ndef f():\n    pass\n```\n\n```ruby\nputs\n```\n\n```js\nx;\n```\n\n"
        "| n | v\\|w |\n| --- | --- |\n| 1 |  |\n| 2 | x y |\n\n> Said."
    )


@pytest.mark.parametrize(("depth", "is_left_out"), [(64, True), (65, False)])
def test_numbers_within_many_elements_are_no_gutter(depth: int, is_left_out: bool):
    markup = "<p>code" + "<span class=lineno>" + "<span>" * (depth - 1) + "7" + "</span>" * depth

    assert text_of(markup) == ("code" if is_left_out else "code7")


@pytest.mark.parametrize(("tags", "is_left_out"), [(256, True), (257, False)])
def test_a_gutter_has_a_number_now_and_then(tags: int, is_left_out: bool):
    markup = "<p>code<span class=lineno>7" + "<br>" * tags + "</span> text"

    assert text_of(markup).startswith("code7") is not is_left_out
