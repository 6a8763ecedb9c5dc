"""Small pages made by hand: hidden text and banners go wherever they stand, and nothing that a reader sees goes."""

from __future__ import annotations

import pytest

from massivetext.extraction import extract

PARAGRAPHS = (
    "The first paragraph of the story tells the reader about the long history of the town and of its people.",
    "In the second paragraph the author explains why the bridge was built, who paid for it and what it cost.",
    "Finally, the third paragraph says what happened to the town after the war, when the factory closed for good.",
)
HIDDEN = "This is the text of a hidden modal window that nobody sees unless a script shows it to the reader."
COOKIES = "We use cookies to improve your experience on our site. By using it you accept the policy."

HIDING = (
    *('style="display:none"', 'style="display: none !important"', 'STYLE="DISPLAY:NONE"', "hidden", 'hidden=""'),
    *('hidden="until-found"', 'aria-hidden="true"', 'style="visibility:hidden"', 'style="visibility: collapse"'),
    *('style="content-visibility:hidden"', 'style="position:absolute;left:-9999px"', 'style="text-indent:-9999px"'),
    *('style="position:absolute; top:-10000px"', 'style="clip: rect(0 0 0 0); position:absolute"'),
    *('style="clip-path: inset(50%)"', 'style="height:0;overflow:hidden"', 'style="font-size:0"'),
    *('style="width:1px;height:1px;overflow:hidden"', 'class="sr-only"', 'class="visually-hidden"', 'class="hidden"'),
    *('class="screen-reader-text"', 'class="d-none"', 'class="is-hidden"', 'class="element-invisible"'),
)
BANNERS = (
    *('id="cookie-banner"', 'class="cookie-consent"', 'class="gdpr-notice"', 'id="onetrust-banner-sdk"'),
    *('class="cc-window cc-banner"', 'id="CybotCookiebotDialog"', 'id="didomi-host"', 'id="cookie-notice"'),
    *('class="cookiePolicyBanner"', 'class="cookie-alert"', 'id="eu-cookie-law"', 'class="CookieBar"'),
    *('class="consent-banner"', 'id="usercentrics-root"', 'role="dialog" aria-label="cookies"'),
)


def article(within: str = "") -> str:
    first, second, third = (f"<p>{text}</p>" for text in PARAGRAPHS)
    return f"<article><h1>Story</h1>{first}{second}{within}{third}</article>"


def page(body: str) -> bytes:
    return f"<!doctype html><html><head><title>Story</title></head><body>{body}</body></html>".encode()


def seen(data: bytes, content_type: str | None = None) -> str:
    """The text of a page, which has all of the article."""
    text = extract(data, content_type=content_type)

    assert [] == [paragraph for paragraph in PARAGRAPHS if paragraph not in text]
    return text


@pytest.mark.parametrize("attribute", HIDING)
def test_hidden_text_goes(attribute: str) -> None:
    for body in (
        article(f"<p {attribute}>{HIDDEN}</p>"),
        article(f"<div {attribute}><p>{HIDDEN}</p></div>"),
        article() + f"<div {attribute}><p>{HIDDEN}</p><p>{HIDDEN} Again.</p></div>",
    ):
        assert "hidden modal" not in seen(page(body))
    text = seen(
        page(article(f"<p>Words before. <span {attribute}>{HIDDEN}</span> Words after it in the paragraph.</p>"))
    )
    assert "hidden modal" not in text
    assert "Words after it" in text


@pytest.mark.parametrize("element", ["<dialog><p>{}</p></dialog>", "<template><p>{}</p></template>"])
def test_elements_that_are_not_shown(element: str) -> None:
    assert "hidden modal" not in seen(page(article() + element.format(HIDDEN)))
    assert "hidden modal" not in seen(page(article(element.format(HIDDEN))))


@pytest.mark.parametrize("attribute", BANNERS)
def test_cookie_banners_go(attribute: str) -> None:
    banner = f"<div {attribute}><p>{COOKIES}</p><button>Accept all</button></div>"

    assert "We use cookies" not in seen(page(banner + article()))
    assert "We use cookies" not in seen(page(article() + banner))


@pytest.mark.parametrize(
    "body",
    [
        f"<noscript>{article()}</noscript>",
        f'<div style="display:none" id="app">{article()}</div>',
        f'<div style="visibility:hidden">{article()}</div>',
        article().replace("<p>", '<p style="opacity:0">'),
    ],
)
def test_what_a_script_would_show_stays(body: str) -> None:
    seen(page(body))


@pytest.mark.parametrize(
    "element",
    [
        "<details><summary>More about it</summary><p>{}</p></details>",
        '<p aria-hidden="false">{}</p>',
        '<p style="display:block">{}</p>',
        '<p style="position:relative;left:-3px">{}</p>',
        '<p class="hidden md:block">{}</p>',
    ],
)
def test_what_is_shown_stays(element: str) -> None:
    assert "hidden modal" in seen(page(article(element.format(HIDDEN))))


@pytest.mark.parametrize("kind", ["application/xhtml+xml", "application/xhtml+xml; charset=utf-8"])
@pytest.mark.parametrize(
    "tag", ['<script src="a.js"/>', "<title/>", "<style/>", '<iframe src="x"/>', "<textarea/>", "<noscript/>"]
)
def test_empty_elements_of_xhtml_swallow_nothing(tag: str, kind: str) -> None:
    head = "" if tag.startswith("<iframe") else tag
    data = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{tag}{article()}'

    seen(f"{data}</body></html>".encode(), kind)
