"""Annotated pages for fitting and measuring extraction, and which blocks of a page are its annotated text.

Two sets of pages lie under DIR (`MASSIVETEXT_DATA`): `wcxb` (pages of seven types with their whole main text) and
`extraction` (pages with segments that must be kept or left out). `label_by_text` aligns a page's blocks with its main
text; `label_by_segments` marks the blocks that annotated segments stand in.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import numpy as np

from massivetext.extraction.encoding import decode_page
from massivetext.extraction.html import END, NODE, START, Tree
from massivetext.extraction.prepare import read
from massivetext.extraction.tags import TAGS

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
WORD = re.compile(r"\w+")
NO_TEXT = re.compile(
    rb"<(script|style|textarea|iframe|svg|select|template|noembed|noframes|video|audio)\b.*?</\1\s*>|<!--.*?-->",
    re.S | re.I,
)
BREAK = re.compile(rb"<(?:br|td|th|li|p|div)\b[^>]*>", re.I)
TAG = re.compile(rb"</?[a-zA-Z!?][^>]*>")
GRAM = 4
MAX_PLACES = 6
"""Of a run of words that stands in the main text more often than this, only the first places are tried."""

WCXB_TYPES = ("article", "forum", "documentation", "listing", "collection", "product", "service")


@dataclass
class Page:
    """A page with its annotation.

    data: the page in UTF-8. kind: one of WCXB_TYPES, "" if the page's type is not annotated. words: the words of each
    block. wanted: float64[blocks], the share of the block that is main text; weight: float64[blocks], 0 for a block
    that the annotation says nothing about. text: the main text (wcxb). notes: the segments (extraction).
    """

    name: str
    domain: str
    kind: str
    data: bytes
    tree: Tree
    words: list[list[str]]
    wanted: np.ndarray
    weight: np.ndarray
    text: str = ""
    notes: dict[str, list[str]] | None = None


def norm(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def domain_of(url: str) -> str:
    """The registered part of an address's host: its last two labels, three under a country's second level."""
    host = re.sub(r"^[a-z0-9+.-]*:*/*", "", url.lower()).split("/")[0].split(":")[0]
    labels = host.split(".")
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
    return ".".join(labels[-size:])


def in_utf8(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError:
        return decode_page(data).encode("utf-8", "replace")
    return data


def block_texts(data: bytes, tree: Tree) -> list[str]:
    """The text of each block, white space as it stands."""
    texts = []
    for start, end in tree.blocks[:, [START, END]].tolist():
        piece = TAG.sub(b"", BREAK.sub(b" ", NO_TEXT.sub(b"", data[start:end])))
        texts.append(unescape(piece.decode("utf-8", "replace")))
    return texts


def _places(text: list[str]) -> dict[tuple[str, ...], list[int]]:
    """Where each run of one to GRAM words starts in the main text."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for size in range(1, GRAM + 1):
        for start in range(len(text) - size + 1):
            at = places[tuple(text[start : start + size])]
            if len(at) < MAX_PLACES:
                at.append(start)
    return places


def _candidates(words: list[str], places: dict[tuple[str, ...], list[int]]) -> tuple[float, list[tuple[int, int]]]:
    """(the share of the block's runs that stand in the main text, the places there where it may stand)."""
    size = min(GRAM, len(words))
    votes: dict[int, int] = defaultdict(int)
    hits = 0
    for start in range(len(words) - size + 1):
        at = places.get(tuple(words[start : start + size]))
        if at:
            hits += 1
            for place in at:
                votes[place - start] += 1
    share = hits / (len(words) - size + 1)
    best = sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:MAX_PLACES]
    return share, [(max(0, place), place + len(words)) for place, _ in best]


def label_by_text(words: list[list[str]], text: str) -> np.ndarray:
    """Which blocks are the main text: float64[blocks], the share of the block's runs of GRAM words that stand in it.

    A block is a candidate if half of its runs stand in the text. Of the candidates the heaviest chain is taken (by
    words) whose places in the text rise in the order of the page, then long blocks whose place no block of the chain
    covers.
    """
    gold = WORD.findall(text.lower())
    places = _places(gold)
    shares = np.zeros(len(words))
    ends: list[int] = [0]  # ends of chains, rising, with the heaviest weight up to each
    weights: list[float] = [0.0]
    links: list[tuple[int, int, int, int]] = [(-1, -1, 0, 0)]  # (block, link before, start, end)
    tops: list[int] = [0]
    candidates: list[list[tuple[int, int]]] = []
    for block, own in enumerate(words):
        share, options = _candidates(own, places) if own else (0.0, [])
        shares[block] = share
        candidates.append(options if share >= 0.5 else [])
        fresh = []
        for start, end in candidates[-1]:
            at = bisect_right(ends, start) - 1
            links.append((block, tops[at], start, end))
            fresh.append((end, weights[at] + len(own) * share + 0.01, len(links) - 1))
        for end, weight, link in fresh:
            _insert(ends, weights, tops, end, weight, link)
    chosen = np.zeros(len(words))
    covered = np.zeros(len(gold) + 1, np.bool_)
    link = tops[-1]
    while link > 0:
        block, before, start, end = links[link]
        chosen[block] = shares[block]
        covered[start:end] = True
        link = before
    for block, options in enumerate(candidates):
        if chosen[block] == 0 and len(words[block]) >= 5 and shares[block] >= 0.8:
            for start, end in options:
                if covered[start:end].mean() < 0.2:
                    chosen[block] = shares[block]
                    covered[start:end] = True
                    break
    return chosen


def _insert(ends: list[int], weights: list[float], tops: list[int], end: int, weight: float, link: int) -> None:
    """Add a chain that ends at `end`, and drop those that end later and weigh no more."""
    at = bisect_right(ends, end) - 1
    if weights[at] >= weight:
        return
    if ends[at] == end:
        weights[at], tops[at] = weight, link
    else:
        at += 1
        ends.insert(at, end)
        weights.insert(at, weight)
        tops.insert(at, link)
    stop = at + 1
    while stop < len(ends) and weights[stop] <= weight:
        stop += 1
    del ends[at + 1 : stop], weights[at + 1 : stop], tops[at + 1 : stop]


def label_by_segments(texts: list[str], notes: dict[str, list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """(wanted, weight) of blocks: a block that a `with` segment stands in is wanted, one with a `without` segment is
    not.

    Of a segment that stands on the page several times each occurrence weighs its share: which is meant is not known.
    """
    pieces = [norm(text) for text in texts]
    starts = np.cumsum([0] + [len(piece) + 1 for piece in pieces])
    text = " ".join(pieces)
    wanted, weight = np.zeros(len(pieces)), np.zeros(len(pieces))
    for kind in ("without", "with"):
        for segment in map(norm, notes[kind]):
            matches = [match.start() for match in re.finditer(re.escape(segment), text)] if segment else []
            for place in matches:
                low = np.searchsorted(starts, place, "right") - 1
                high = np.searchsorted(starts, place + len(segment) - 1, "right") - 1
                wanted[low : high + 1] = kind == "with"
                weight[low : high + 1] = 1 / len(matches)
    return wanted, weight


def read_wcxb(folder: Path, every: int = 1, offset: int = 0) -> Iterator[Page]:
    """The pages of `wcxb` with their main text, in the order of their names."""
    names = sorted(path.name.split(".")[0] for path in (folder / "html").iterdir())[offset::every]
    for name in names:
        data = in_utf8(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()))
        note = json.loads((folder / "ground-truth" / f"{name}.json").read_text("utf-8"))
        kind = ((note.get("_internal") or {}).get("page_type") or {}).get("primary", "article")
        text = note["ground_truth"].get("main_content") or ""
        data, tree = read(data)
        words = [WORD.findall(piece.lower()) for piece in block_texts(data, tree)]
        wanted = label_by_text(words, text)
        kind = "collection" if kind == "category" else kind
        yield Page(name, domain_of(note.get("url") or name), kind, data, tree, words, wanted, np.ones(len(words)), text)


def read_segments(folder: Path) -> Iterator[Page]:
    """The pages of `extraction` with their segments, in the order of their names."""
    annotations = json.loads((folder / "annotations.json").read_text("utf-8"))
    for name in sorted(annotations):
        notes = annotations[name]
        data = in_utf8(gzip.decompress((folder / "html" / name).read_bytes()))
        data, tree = read(data)
        texts = block_texts(data, tree)
        wanted, weight = label_by_segments(texts, notes)
        words = [WORD.findall(piece.lower()) for piece in texts]
        yield Page(name, domain_of(notes["url"]), "", data, tree, words, wanted, weight, notes=notes)


def innermost(page: Page, blocks: np.ndarray) -> int:
    """The innermost element that holds all of `blocks` and is no paragraph or list item, 0 if there is none."""
    tree = page.tree
    paths = []
    for block in blocks:
        node, path = int(tree.blocks[block, NODE]), []
        while node:
            path.append(node)
            node = int(tree.parent[node])
        paths.append(path)
    common = set(paths[0]).intersection(*paths)
    return next((node for node in paths[0] if node in common and TAGS[tree.tag[node]] not in ("p", "li")), 0)
