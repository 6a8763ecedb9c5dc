"""Engine `salient`: blocks of text stand in groups at one level of the page's tree; the salient groups are its text.

This is the method of the paper that MassiveText comes from (arXiv 2112.11446, appendix A: "self-contained coherent
blocks of salient text tend to occur in groups of semantic tags at the same level of the tree", paraphrased). Trees over
features of block, group and page say how likely a block is text; a second stage sees what the first thinks of the
blocks around; one threshold a page is chosen by expected F1. The trees are data/salient.npz, made by
benchmarks/fit_extraction.py. Nothing depends on a language or a site.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from massivetext.errors import LimitError
from massivetext.extraction import Extracted, features
from massivetext.extraction.choice import HIGHEST, LOWEST, choose, expected_threshold, join_wholes
from massivetext.extraction.context import N_CONTEXT, measure_context
from massivetext.extraction.encoding import as_utf8
from massivetext.extraction.finish import finish
from massivetext.extraction.html import CHARS, NODE, WORDS, Tree
from massivetext.extraction.modes import apply_options
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.prepare import is_xhtml, read
from massivetext.extraction.render import render
from massivetext.extraction.structured import structured_text
from massivetext.extraction.tags import heading_level
from massivetext.extraction.trees import Forest, evaluate, evaluate_row, joined, measure_ranges, ranges_of
from massivetext.kernels import njit

__all__ = [
    "MAX_BYTES",
    "PAGE_TYPES",
    "Chosen",
    "Model",
    "choose_blocks",
    "extract",
    "extract_page",
    "load_model",
    "model_of",
]

MAX_BYTES = 1 << 30

SHORT = 200
"""Characters: of a page with less text than this the JSON-LD is looked at, then blocks that are less likely."""

LENIENT = 1 / 3
"""The threshold of a page with little text, as a share of itself or of the likeliest block."""

PAGE_TYPES = ("article", "forum", "documentation", "listing", "collection", "product", "service")
"""What a page is taken for: one story; a thread of posts; reference or instructions; a list of stories, jobs or events;
a shop's category; one thing for sale; what a company offers, and any other page of prose."""

PROSE = (PAGE_TYPES.index("article"), PAGE_TYPES.index("forum"))
"""Types of pages on which a heading without text below it is not the page's text."""

FAVOURS = {"precision": 0.5, "balance": 1.0, "recall": 2.0}
"""The beta of the expected F-measure, by what the caller favours."""


class Model(NamedTuple):
    """trees: those of the first stage, of one sum; from number `second` on those of the second stage, of one sum; from
    number `types` on those of types, of a sum for each of PAGE_TYPES. article_floor: the lowest threshold of a page
    that is an article, in full if that is certain."""

    trees: Forest
    second: int
    types: int
    article_floor: float


def model_of(first: Forest, second: Forest, types: Forest, article_floor: float) -> Model:
    """Put the trees of a model together: fewer arrays are handed to the kernel for each page."""
    n_first, n_second = len(first.output), len(second.output)
    return Model(joined([first, second, types]), n_first, n_first + n_second, article_floor)


class Chosen(NamedTuple):
    """keep: bool[blocks]; p: float32[blocks], how likely a block is text; threshold: of the page; page_type: one of
    PAGE_TYPES; is_sure: whether SHORT characters were over the threshold; if not, it was lowered to LENIENT of
    itself."""

    keep: np.ndarray
    p: np.ndarray
    threshold: float
    page_type: str
    is_sure: bool


@lru_cache(maxsize=1)
def load_model() -> Model:
    """Return the model that ships with the package."""
    with files("massivetext").joinpath("data/salient.npz").open("rb") as file, np.load(file) as stored:
        trees = Forest(*(stored[name] for name in Forest._fields))
        return Model(trees, int(stored["second"]), int(stored["types"]), float(stored["article_floor"]))


def extract(
    page: bytes,
    *,
    url: str | None = None,
    content_type: str | None = None,
    options: Options = DEFAULT,
) -> str:
    """Return the main text of a page, "" if it has none: the text of `extract_page`, which see."""
    return extract_page(page, url=url, content_type=content_type, options=options).text


def extract_page(
    page: bytes,
    *,
    url: str | None = None,
    content_type: str | None = None,
    options: Options = DEFAULT,
) -> Extracted:
    """Extract the main text of a page and say what type of page it is.

    Args:
        page: the bytes as they came.
        url: the page's address; it names the page in errors and is evidence of its type.
        content_type: the Content-Type header, for its charset and for XHTML.
        options: see Options.

    Raises:
        LimitError: the page has more than MAX_BYTES.
    """
    if len(page) > MAX_BYTES:
        raise LimitError(f"page {url or ''} has {len(page):,} bytes, more than {MAX_BYTES:,}")
    xhtml = is_xhtml(content_type)
    for data in as_utf8(page, content_type):
        extracted = _main_text(data, url, options, xhtml)
        if extracted is not None:
            return extracted
    return Extracted("", "")


def _main_text(page: bytes, url: str | None, options: Options, xhtml: bool) -> Extracted | None:
    """Extract from a page in UTF-8; None if the text contains bytes that are not."""
    page, tree = read(page, xhtml=xhtml)
    chosen = choose_blocks(page, tree, load_model(), url=url, favour=options.favour)
    if not chosen.is_sure and b"ld+json" in page:
        body = structured_text(page)
        if len(body) >= SHORT:
            return Extracted(finish(body, options), chosen.page_type)
    keep = apply_options(page, tree, chosen.keep, options)
    try:
        return Extracted(finish(render(page, tree, keep, options).decode(), options), chosen.page_type)
    except UnicodeDecodeError:
        return None


def choose_blocks(page: bytes, tree: Tree, model: Model, *, url: str | None = None, favour: str = "balance") -> Chosen:
    """Choose the blocks of a page that are its main text.

    Args:
        page: the page's bytes, in an encoding that contains ASCII.
        tree: what `parse` gave for it.
        model: the trees.
        url: the page's address, if known.
        favour: one of FAVOURS.
    """
    if not len(tree.blocks):
        return Chosen(np.zeros(0, np.bool_), np.zeros(0, np.float32), HIGHEST, "", False)
    keep, p, threshold, page_type, is_sure = _choose_blocks(
        model, *features.measured_parts(page, tree, url), FAVOURS[favour]
    )
    return Chosen(keep, p, threshold, PAGE_TYPES[page_type], is_sure)


@njit(counts=False)
def _place_of_highest(values):
    highest = 0
    for k in range(1, len(values)):
        if values[k] > values[highest]:
            highest = k
    return highest


@njit(cache=True, nogil=True)
def type_shares(model, values):
    """Return float64[PAGE_TYPES]: how likely each type is, from the features of any of the page's blocks."""
    sums = np.zeros(len(PAGE_TYPES), np.float32)
    evaluate_row(model.trees, model.types, len(model.trees.output), values[features.FIRST_PAGE_COLUMN :], sums)
    highest = np.float64(sums[_place_of_highest(sums)])
    shares = np.empty(len(sums))
    total = 0.0
    for k in range(len(sums)):
        shares[k] = np.exp(np.float64(sums[k]) - highest)
        total += shares[k]
    for k in range(len(sums)):
        shares[k] /= total
    return shares


@njit(cache=True, nogil=True, counts=False)
def _sigmoid(sums, p):
    for b in range(len(p)):
        p[b] = 1.0 / (1.0 + np.exp(-np.float64(sums[b, 0])))


@njit(cache=True, nogil=True)
def second_values(values, keys, words, tag, blocks, p):
    """Fill the columns of context in values from the first stage's p."""
    heading = np.zeros(len(p), np.bool_)
    for b in range(len(p)):
        heading[b] = heading_level(tag[blocks[b, NODE]]) > 0
    threshold = expected_threshold(p, words, LOWEST, HIGHEST, 1.0)
    measure_context(p, words, heading, keys, threshold, values[:, :N_CONTEXT])


@njit(cache=True, nogil=True)
def _two_stages(values, keys, words, tag, blocks, model, p):
    """Fill p (float32[blocks]) with how likely each block is text of the page."""
    sums = np.zeros((len(p), 1), np.float32)
    ranges = ranges_of(values)
    evaluate(model.trees, 0, model.second, values, ranges, sums)
    _sigmoid(sums, p)
    second_values(values, keys, words, tag, blocks, p)
    measure_ranges(values, np.uint64(0), np.uint64(N_CONTEXT), ranges)
    evaluate(model.trees, model.second, model.types, values, ranges, sums)
    _sigmoid(sums, p)


@njit(cache=True, nogil=True, counts=False)
def _count_kept(keep, blocks):
    chars = 0
    for b in range(len(keep)):
        if keep[b]:
            chars += blocks[b, CHARS]
    return chars


@njit(cache=True, nogil=True)
def _choose_blocks(model, page, tag, parent, hints, first, last, template, blocks, title, evidence, beta):
    """Return (bool[blocks]: which are kept; float32[blocks]: how likely each is text; the page's threshold; the number
    of its type; whether SHORT characters were over the threshold)."""
    values, keys, hashes = features.measure_blocks(
        page, tag, parent, hints, first, last, template, blocks, title, evidence
    )
    n = len(blocks)
    shares = type_shares(model, values[0])
    words = np.empty(n)
    for b in range(n):
        words[b] = max(1, blocks[b, WORDS])
    p = np.empty(n, np.float32)
    _two_stages(values, keys, words, tag, blocks, model, p)
    join_wholes(p, words, tag, parent, first, last, blocks)
    lowest = LOWEST + (model.article_floor - LOWEST) * shares[0]
    threshold = expected_threshold(
        p, words, lowest * min(1.0, 1.0 / beta), min(0.9, HIGHEST * max(1.0, 1.0 / beta)), beta
    )
    prose = 0.0
    for number in PROSE:
        prose += shares[number]
    keep = choose(p, threshold, tag, parent, blocks, hashes, prose >= 0.5)
    is_sure = _count_kept(keep, blocks) >= SHORT
    if not is_sure:
        lenient = np.float32(min(threshold * LENIENT, p[_place_of_highest(p)] * LENIENT))
        keep = choose(p, lenient, tag, parent, blocks, hashes, prose >= 0.5)
    return keep, p, threshold, _place_of_highest(shares), is_sure
