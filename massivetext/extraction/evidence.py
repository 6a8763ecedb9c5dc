"""What a page shows of its type: schema.org types, Open Graph type, generator, words of its address, and its make-up.

The values are the same for every block of a page. None of them decides; the trees weigh them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from massivetext.extraction.html import CHARS, LINK_CHARS, NODE, WORDS
from massivetext.extraction.tags import DD, DT, LI, N_TAGS, PRE, TD, heading_level, tag_id
from massivetext.extraction.vocabulary import HINT_NAMES
from massivetext.extraction.wording import COPIES, CURRENCY, DATES, IMAGES, INLINE_TAGS, SHORT, TRAILS_OFF
from massivetext.kernels import njit
from massivetext.masks import WIDTH, equal_mask, lowest_bit

__all__ = ["EVIDENCE", "N_EVIDENCE", "Words", "find_words", "page_evidence", "search_words", "write_page"]

_HEAD = 1 << 18
_MAX_TYPES = 400

_SCHEMA = {
    "article": "article newsarticle blogposting reportagenewsarticle analysisnewsarticle opinionnewsarticle "
    "blog report",
    "thread": "discussionforumposting qapage comment usercomments viewaction likeaction commentaction conversation",
    "product": "product productgroup productmodel individualproduct book vehicle softwareapplication",
    "offer": "offer aggregateoffer instock outofstock newcondition merchantreturnpolicy offershippingdetails",
    "list": "itemlist collectionpage searchresultspage imagegallery event offercatalog jobposting",
    "question": "faqpage question answer",
    "service": "localbusiness service professionalservice postaladdress openinghoursspecification contactpage",
    "technical": "techarticle apireference definedterm learningresource course howto",
    "review": "review aggregaterating rating",
    "recipe": "recipe nutritioninformation",
}
_SCHEMA_OF = {word.encode(): number for number, words in enumerate(_SCHEMA.values()) for word in words.split()}
_TYPE = re.compile(rb'"@type"\s*:\s*\[?\s*"(?:https?://schema\.org/)?([A-Za-z]{4,40})')
_CONTENT, _HREF = (
    re.compile(name + rb"""\s*=\s*(?:"([^"]*)|'([^']*)|([^\s>"']+))""", re.IGNORECASE) for name in (b"content", b"href")
)
_LABEL = re.compile(rb"\s*[a-z0-9]*")
_ITEM_TYPE = re.compile(rb"schema\.org/([A-Z][A-Za-z]{3,40})")

_OPEN_GRAPH = ("website", "article", "product", "product.group", "video", "profile", "book")
_GENERATORS = {
    "blog": "wordpress ghost blogger typepad medium movable",
    "forum": "discourse vbulletin xenforo phpbb invision flarum mybb simple nodebb vanilla question2answer smf",
    "reference": "sphinx docusaurus mkdocs mediawiki doxygen javadoc gitbook rustdoc jekyll hugo "
    "asciidoctor vitepress docfx",
    "shop": "woocommerce shopify magento prestashop bigcommerce shopware opencart",
    "site": "drupal joomla wix squarespace webflow hubspot elementor typo3 adobe sitecore",
}
_GENERATOR_OF = {
    word.encode(): number for number, words in enumerate(_GENERATORS.values(), 1) for word in words.split()
}
_ADDRESS = {
    "thread": "thread threads topic topics viewtopic showthread t forum forums discussion discussions questions "
    "community board boards comments r issues answers viewthread post posts",
    "reference": "docs doc documentation api reference manual guide guides tutorial tutorials wiki man library help "
    "learn kb support man1 latest stable en-us",
    "product": "product products p item items dp prod sku shop store buy pd pdp",
    "list": "category categories c collection collections tag tags search list catalog browse archive archives "
    "directory index all jobs events events-list cat",
    "article": "blog blogs news article articles story stories magazine press opinion politics sports sport",
    "service": "services service solutions solution features pricing about platform plans product-tour company",
}
_ADDRESS_OF = {word.encode(): number for number, words in enumerate(_ADDRESS.values()) for word in words.split()}

_HEAD_COLUMNS = (
    *(f"schema_{name}" for name in _SCHEMA),
    *("open_graph", "generator"),
    *(f"address_{name}" for name in _ADDRESS),
    *("address_depth", "address_hyphens", "address_digits", "address_query", "address_length"),
)
_COUNTED_TAGS = ("p", "li", "td", "pre", "form", "article", "section", "blockquote", "table", "nav", "dt", "button")
_COLUMN_OF_TAG = np.full(N_TAGS, -1, np.int64)
_COLUMN_OF_TAG[[tag_id(name) for name in _COUNTED_TAGS]] = range(len(_COUNTED_TAGS))
_BODY_COLUMNS = (
    *("page_weight", "page_blocks", "page_nodes", "page_chars", "page_link_density", "best_share", "long_share"),
    *("heading_share", "h1_count", "h2_count", "h3_count", "short_word_share", "currency_blocks", "date_blocks"),
    *("image_blocks", "copied_blocks", "trailing_blocks", "inline_rate", "unit_best_share", "unit_best_count"),
    *("unit_best_mean", "unit_best_links", "unit_best_hints", "cell_share", "code_share", "list_share"),
    *(f"count_{name}" for name in _COUNTED_TAGS),
    *(f"named_{name}" for name in HINT_NAMES),
)
EVIDENCE = (*_HEAD_COLUMNS, *_BODY_COLUMNS)
"""The columns of page evidence, in the order of the array that `page_evidence` and `write_page` fill."""

N_EVIDENCE = len(EVIDENCE)
HEAD_COLUMNS = slice(0, len(_HEAD_COLUMNS))
"""The columns of the page's head, data and address."""

_O_OPEN_GRAPH = len(_SCHEMA)
_O_ADDRESS = _O_OPEN_GRAPH + 2
_O_BODY = len(_HEAD_COLUMNS)
_O_TAGS = _O_BODY + _BODY_COLUMNS.index("count_p")
_ALL_HINTS = (1 << len(HINT_NAMES)) - 1
_O_NAMED = _O_BODY + _BODY_COLUMNS.index(f"named_{HINT_NAMES[0]}")


class Words(NamedTuple):
    """Words to search bytes for, of 3 letters at least.

    letters: uint8[letters], one word after the other. starts: int64[words + 1], where each begins. beginnings:
    uint8[words, 3], the first letters of each.
    """

    letters: np.ndarray
    starts: np.ndarray
    beginnings: np.ndarray


def search_words(*words: bytes) -> Words:
    """Prepare words for `find_words`."""
    starts = np.cumsum([0, *map(len, words)])
    beginnings = np.array([tuple(word[:3]) for word in words], np.uint8)
    return Words(np.frombuffer(b"".join(words), np.uint8), starts, beginnings)


_TYPE_WORDS = search_words(b'"@type"', b"schema.org/")
_HEAD_WORDS = search_words(b"</head", b"og:type", b"og:url", b"generator", b"canonical")


@njit(cache=True, nogil=True, counts=False)
def _is_word(page, at, letters, begin, end):
    """Whether the letters from begin to end stand at `at`."""
    if at + end - begin > len(page):
        return False
    for k in range(end - begin):
        if page[at + k] != letters[begin + k]:
            return False
    return True


@njit(cache=True, nogil=True, counts=False)
def _add_place(page, at, words, places, counts):
    """Append `at` to the places of each word that stands there."""
    for w in range(len(counts)):
        if counts[w] < places.shape[1] and _is_word(page, at, words.letters, words.starts[w], words.starts[w + 1]):
            places[w, counts[w]] = at
            counts[w] += 1


@njit(cache=True, nogil=True, counts=False)
def _beginnings(page, at, beginnings):
    """The mask of those of WIDTH positions from `at` on that have the first letters of a word."""
    one, two = np.uint64(1), np.uint64(2)
    likely = np.uint32(0)
    for w in range(len(beginnings)):
        first = equal_mask(page, at, beginnings[w, 0]) & equal_mask(page, at + one, beginnings[w, 1])
        likely |= first & equal_mask(page, at + two, beginnings[w, 2])
    return likely


@njit(cache=True, nogil=True)
def find_words(page, words, most, ends_at_first):
    """Return (int64[words, most]: where each word stands in page, from the first place on; int64[words]: how many of a
    row's places are filled). If ends_at_first, the search ends where the first word stands."""
    places = np.zeros((len(words.starts) - 1, most), np.int64)
    counts = np.zeros(len(places), np.int64)
    beginnings = words.beginnings
    at, step = np.uint64(0), np.uint64(WIDTH)  # signed ones are checked
    end = np.uint64(max(0, len(page) - WIDTH - 1))
    while at < end:
        likely = _beginnings(page, at, beginnings)
        while likely:
            _add_place(page, np.int64(at + lowest_bit(likely)), words, places, counts)
            if ends_at_first and counts[0]:
                return places, counts
            likely = np.uint32(likely & (likely - np.uint32(1)))
        at += step
    for place in range(np.int64(at), len(page)):
        _add_place(page, place, words, places, counts)
        if ends_at_first and counts[0]:
            break
    return places, counts


def _attribute(page: bytes, end: int, place: int, attribute: re.Pattern[bytes]) -> bytes:
    """The value of an attribute of the tag that `place` lies in, b"" if it has none or place is -1; the head ends at
    `end`."""
    if place < 0:
        return b""
    start, stop = page.rfind(b"<", 0, place), page.find(b">", place, end)
    match = attribute.search(page, max(0, start), min(stop if stop >= 0 else end, place + 2000))
    return b"" if match is None else match.group(1) or match.group(2) or match.group(3) or b""


def _write_address(address: bytes, out: np.ndarray) -> None:
    """Fill the columns of the address."""
    host, _, path = address.partition(b"://")[2].partition(b"/")
    path, _, query = path.partition(b"?")
    parts = [part for part in path.lower().partition(b"#")[0].split(b"/") if part][:20]
    for part in [*parts[:-1], *host.lower().split(b".")[:-2], *(part.partition(b".")[0] for part in parts[-1:])]:
        number = _ADDRESS_OF.get(part)
        if number is not None:
            out[_O_ADDRESS + number] = 1
    o = _O_ADDRESS + len(_ADDRESS)
    out[o] = len(parts)
    out[o + 1] = parts[-1].count(b"-") if parts else 0
    out[o + 2] = max((len(run) for run in re.findall(rb"\d+", path)), default=0)
    out[o + 3] = bool(query)
    out[o + 4] = len(path)


def _count_types(page: bytes, places: np.ndarray, pattern: re.Pattern[bytes], out: np.ndarray) -> None:
    """Count the schema.org types that stand at `places`."""
    for place in places.tolist():
        match = pattern.match(page, place)
        number = None if match is None else _SCHEMA_OF.get(match.group(1).lower())
        if number is not None:
            out[number] += 1


def page_evidence(page: bytes, url: str | None = None) -> np.ndarray:
    """Return float32[N_EVIDENCE] with the columns that the page's head, its data and its address fill.

    The address is the page's canonical one, `url` only where it names none.
    """
    out = np.zeros(N_EVIDENCE, np.float32)
    data = np.frombuffer(page, np.uint8)
    places, counts = find_words(data, _TYPE_WORDS, _MAX_TYPES, False)
    _count_types(page, places[0, : counts[0]], _TYPE, out)
    _count_types(page, places[1, : counts[1]], _ITEM_TYPE, out)
    places, counts = find_words(data[:_HEAD], _HEAD_WORDS, 1, True)
    end = int(places[0, 0]) if counts[0] else min(len(page), _HEAD)
    og_type, og_url, generator_at, canonical = (
        place if count and place < end else -1
        for place, count in zip(places[1:, 0].tolist(), counts[1:].tolist(), strict=True)
    )
    kind = _attribute(page, end, og_type, _CONTENT).strip().lower().decode("latin-1")
    out[_O_OPEN_GRAPH] = _OPEN_GRAPH.index(kind) + 1 if kind in _OPEN_GRAPH else (len(_OPEN_GRAPH) + 1 if kind else 0)
    generator = _LABEL.match(_attribute(page, end, generator_at, _CONTENT).lower())
    out[_O_OPEN_GRAPH + 1] = _GENERATOR_OF.get(generator.group().strip(), 0) if generator else 0
    address = _attribute(page, end, canonical, _HREF) or _attribute(page, end, og_url, _CONTENT)
    _write_address(address or (url or "").encode("utf-8", "replace"), out)
    return out


@njit(cache=True, nogil=True, counts=False)
def _count_elements(tag, hints, groups, out):
    """Fill the counts of tags and hints and the evidence of the heaviest repeated element."""
    for node in range(1, len(tag)):
        column = _COLUMN_OF_TAG[tag[node]]
        if column >= 0:
            out[_O_TAGS + column] += 1
        bits = np.uint32(hints[node] & _ALL_HINTS)
        while bits:
            out[_O_NAMED + np.int64(lowest_bit(bits))] += 1
            bits &= bits - np.uint32(1)
    twins = groups.twins
    best = -1
    for slot in range(len(twins.size)):
        if twins.prose[slot] >= 3 and (best < 0 or twins.total[slot] > twins.total[best]):
            best = slot
    if best >= 0:
        o = _O_BODY + 18
        out[o] = twins.total[best] / groups.page_weight
        out[o + 1] = twins.size[best]
        out[o + 2] = twins.total[best] / twins.size[best]
        out[o + 3] = twins.links[best] / max(1.0, twins.chars[best])
        for node in range(1, len(tag)):
            if twins.slot[node] == best:
                out[o + 4] = hints[node] & _ALL_HINTS
                break


@njit(cache=True, nogil=True, counts=False)
def write_page(tag, hints, blocks, groups, wording, out):
    """Fill the columns of the page's make-up in out (float32[N_EVIDENCE])."""
    n = len(blocks)
    sums = groups.sums
    o = _O_BODY
    words = long_words = links = 0.0
    for b in range(n):
        chars = blocks[b, CHARS]
        kind = tag[blocks[b, NODE]]
        words += blocks[b, WORDS]
        links += blocks[b, LINK_CHARS]
        if chars > 200:
            long_words += blocks[b, WORDS]
        level = heading_level(kind)
        if level:
            out[o + 7] += 1
            if level <= 3:
                out[o + 7 + level] += 1
        out[o + 11] += wording[b, SHORT] * blocks[b, WORDS]
        out[o + 12] += wording[b, CURRENCY] > 0
        out[o + 13] += wording[b, DATES] > 0
        out[o + 14] += wording[b, IMAGES] > 0
        out[o + 15] += wording[b, COPIES] > 0
        out[o + 16] += wording[b, TRAILS_OFF]
        out[o + 17] += wording[b, INLINE_TAGS]
        if kind == TD:
            out[o + 23] += chars
        elif kind == PRE:
            out[o + 24] += chars
        elif kind == LI or kind == DD or kind == DT:
            out[o + 25] += chars
    all_chars = np.float32(max(1.0, sums.chars[0]))
    count = np.float32(max(1, n))
    out[o] = groups.page_weight
    out[o + 1] = n
    out[o + 2] = len(tag)
    out[o + 3] = sums.chars[0]
    out[o + 4] = links / all_chars
    out[o + 5] = sums.total[groups.best] / groups.page_weight
    out[o + 6] = long_words / max(1.0, words)
    out[o + 7] /= count
    out[o + 11] /= np.float32(max(1.0, words))
    for k in range(12, 18):
        out[o + k] /= count
    for k in range(23, 26):
        out[o + k] /= all_chars
    _count_elements(tag, hints, groups, out)
