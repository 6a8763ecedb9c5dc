"""Engine `salient`: blocks of text stand in groups at one level of the page's tree; the salient groups are its text.

This is the method of the paper that MassiveText comes from (arXiv 2112.11446, appendix A: "self-contained coherent
blocks of salient text tend to occur in groups of semantic tags at the same level of the tree", paraphrased), with a
logistic regression over features of block and group in place of rules. Its weights are data/salient.json, made by
benchmarks/fit_extraction.py. Nothing depends on a language or a site.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from massivetext.errors import LimitError
from massivetext.extraction import features
from massivetext.extraction.encoding import as_utf8
from massivetext.extraction.html import (
    CHARS,
    NODE,
    Tree,
)
from massivetext.extraction.modes import apply_options
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.prepare import is_xhtml, read
from massivetext.extraction.render import finish, render
from massivetext.extraction.structured import structured_text
from massivetext.extraction.vocabulary import (
    H1,
    H6,
)
from massivetext.kernels import njit

__all__ = ["MAX_BYTES", "Model", "choose", "extract", "load_model", "probabilities"]

MAX_BYTES = 1 << 30

SHORT = 200
"""Characters: of a page with less text than this the JSON-LD is looked at; if it has no article, the threshold goes
down to LENIENT of itself."""

LENIENT = 1 / 3
_HEADING_REACH = 3
_TITLE_REACH = 20


class Model(NamedTuple):
    """weights: float32[features.FEATURES]; a block whose sum of weights and `bias` makes a probability over `threshold`
    is text of the page."""

    weights: np.ndarray
    bias: float
    threshold: float


@lru_cache(maxsize=1)
def load_model() -> Model:
    """The model that ships with the package."""
    stored = json.loads(files("massivetext").joinpath("data/salient.json").read_text("utf-8"))
    weights = np.array([stored["weights"][name] for name in features.FEATURES], np.float32)
    return Model(weights, stored["bias"], stored["threshold"])


def extract(page: bytes, *, url: str | None = None, content_type: str | None = None, options: Options = DEFAULT) -> str:
    """Return the main text of a page, "" if it has none.

    Args:
        page: the bytes as they came.
        url: names the page in errors.
        content_type: the Content-Type header, for its charset and for XHTML.
        options: see Options.

    Raises:
        LimitError: beyond MAX_BYTES.
    """
    if len(page) > MAX_BYTES:
        raise LimitError(f"page {url or ''} has {len(page):,} bytes, more than {MAX_BYTES:,}")
    xhtml = is_xhtml(content_type)
    for data in as_utf8(page, content_type):
        text = _main_text(data, options, xhtml)
        if text is not None:
            return text
    return ""


def _main_text(page: bytes, options: Options, xhtml: bool) -> str | None:
    """The main text of a page in UTF-8, or None if it contains bytes that are not."""
    page, tree = read(page, xhtml=xhtml)
    model = load_model()
    probability = probabilities(page, tree, model)
    if b"ld+json" in page and tree.blocks[probability > model.threshold, CHARS].sum() < SHORT:
        body = structured_text(page)
        if len(body) >= SHORT:
            return finish(body, options)
    keep = choose(probability, tree.tag, tree.blocks, model.threshold)
    keep = apply_options(page, tree, keep, options)
    try:
        return finish(render(page, tree, keep, options).decode(), options)
    except UnicodeDecodeError:
        return None


def probabilities(page: bytes, tree: Tree, model: Model) -> np.ndarray:
    """float64[blocks]: how likely each block is text of the page, by the model."""
    measured = features.measure(page, tree)
    return 1 / (1 + np.exp(-(measured @ model.weights + model.bias).astype(np.float64)))


@njit(cache=True, nogil=True)
def choose(probability, tree_tag, blocks, threshold):
    """bool[blocks]: which blocks are text of the page. A heading needs text below it."""
    n = len(blocks)
    keep = np.zeros(n, np.bool_)
    length = 0
    for b in range(n):
        if probability[b] > threshold:
            keep[b] = True
            length += blocks[b, CHARS]
    if length < SHORT:
        for b in range(n):
            keep[b] = probability[b] > threshold * LENIENT
    is_heading = np.zeros(n, np.bool_)
    first_text = n
    for b in range(n):
        kind = tree_tag[blocks[b, NODE]]
        is_heading[b] = kind >= H1 and kind <= H6
        if keep[b] and not is_heading[b] and b < first_text:
            first_text = b
    if first_text == n:
        return keep
    for b in range(n):
        if keep[b] and is_heading[b]:
            reach = _TITLE_REACH if b < first_text else _HEADING_REACH
            below = False
            for other in range(b + 1, min(n, b + 1 + reach)):
                if keep[other] and not is_heading[other]:
                    below = True
                    break
            keep[b] = below
    return keep
