"""Engine `salient`: blocks of text stand in groups at one level of the page's tree; the salient groups are its text.

This is the method of the paper that MassiveText comes from (arXiv 2112.11446, appendix A: "self-contained coherent
blocks of salient text tend to occur in groups of semantic tags at the same level of the tree", paraphrased), with a
logistic regression over features of block and group in place of rules. Its weights are data/salient.json, made by
benchmarks/fit_extraction.py. Nothing depends on a language or a site.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numba import njit

from massivetext.errors import LimitError
from massivetext.extraction import features, html
from massivetext.extraction.encoding import declared_encoding, page_encoding
from massivetext.extraction.html import (
    CHARS,
    NODE,
    Tree,
    parse,
)
from massivetext.extraction.render import render, resolve
from massivetext.extraction.vocabulary import (
    H1,
    H6,
)

__all__ = ["MAX_BYTES", "Model", "choose", "extract", "load_model", "probabilities"]

MAX_BYTES = 1 << 30

SHORT = 200
"""Characters: of a page with less text than this the JSON-LD is looked at; if it has no article, the threshold goes
down to LENIENT of itself."""

LENIENT = 1 / 3
_HEADING_REACH = 3
_TITLE_REACH = 20

_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")


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


def extract(page: bytes, *, url: str | None = None, content_type: str | None = None) -> str:
    """The main text of a page, "" if it has none. Raises LimitError beyond MAX_BYTES or html.MAX_NODES."""
    if len(page) > MAX_BYTES:
        raise LimitError(f"page {url or ''} has {len(page):,} bytes, more than {MAX_BYTES:,}")
    # Most pages are UTF-8, whether they say so or not, and only text that is kept must be.
    if declared_encoding(page, content_type) in (None, "utf-8") and b"\0" not in page[:4096]:
        text = _main_text(page, url)
        if text is not None:
            return text
    text = _main_text(page.decode(page_encoding(page, content_type), "replace").encode("utf-8", "replace"), url)
    return text or ""


def _main_text(page: bytes, url: str | None) -> str | None:
    """The main text of a page in UTF-8, or None if it holds bytes that are not."""
    tree = parse(page)
    if tree.over:
        raise LimitError(f"page {url or ''} has more than {html.MAX_NODES:,} elements or blocks")
    model = load_model()
    probability = probabilities(page, tree, model)
    if b"ld+json" in page and tree.blocks[probability > model.threshold, CHARS].sum() < SHORT:
        body = _article_body(page)
        if len(body) >= SHORT:
            return body
    keep = choose(probability, tree.tag, tree.blocks, model.threshold)
    try:
        return resolve(render(page, tree, keep).decode())
    except UnicodeDecodeError:
        return None


def probabilities(page: bytes, tree: Tree, model: Model) -> np.ndarray:
    """float64[blocks]: how likely each block is text of the page, by the model."""
    measured = features.measure(page, tree)
    return 1 / (1 + np.exp(-(measured @ model.weights + model.bias).astype(np.float64)))


def _article_body(page: bytes) -> str:
    """The longest `articleBody` of the page's JSON-LD, "" if there is none."""
    longest = ""
    end = 0
    while (kind := page.find(b"application/ld+json", end)) >= 0:
        start = page.find(b">", kind) + 1
        end = page.find(b"</script", start)
        if start == 0 or end < 0:
            break
        try:
            pending = [json.loads(page[start:end].decode("utf-8", "replace"))]
        except (ValueError, RecursionError):
            continue
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                body = value.get("articleBody")
                if isinstance(body, str) and len(body) > len(longest):
                    longest = body
                pending.extend(value.values())
            elif isinstance(value, list):
                pending.extend(value)
    if _MARKUP.search(longest):
        inner = longest.encode("utf-8", "replace")
        tree = parse(inner)
        longest = render(inner, tree, np.ones(len(tree.blocks), np.bool_)).decode("utf-8", "replace")
    return resolve(longest)


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
