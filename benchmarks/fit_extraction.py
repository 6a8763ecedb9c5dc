"""Fits the weights of the engine `salient` to annotated pages, and writes massivetext/data/salient.json.

    python benchmarks/fit_extraction.py [--data DIR] [--output FILE]

DIR holds annotations.json ({page: {"with": [segments], "without": [segments]}}) and html/<page>, gzipped. A block is
wanted if a `with` segment stands in it, unwanted if a `without` segment does; other blocks say nothing.

Annotations cannot show text kept after the article's end where nothing is annotated. So each page is used a second time
with a tail made from other annotated pages: the next story in the article's own template, teasers with a paragraph, or
remarks in repeated elements; every block of the tail is unwanted.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from massivetext.extraction.encoding import decode_page
from massivetext.extraction.features import FEATURES, measure
from massivetext.extraction.html import (
    CHARS,
    END,
    NODE,
    START,
    Tree,
    parse,
)
from massivetext.extraction.render import render, resolve
from massivetext.extraction.salient import Model
from massivetext.extraction.vocabulary import (
    TAGS,
)

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
RIDGE = 30.0
THRESHOLD = 0.55
TAIL_WEIGHT = 0.02
"""What a block of a made-up tail counts, an annotated one being 1."""


@dataclass(frozen=True)
class Page:
    """data: the page in UTF-8. wanted, weight: float64[blocks]; a block of weight 0 is not annotated."""

    name: str
    data: bytes
    tree: Tree
    features: np.ndarray
    wanted: np.ndarray
    weight: np.ndarray
    notes: dict[str, list[str]]


def norm(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _block_text(data: bytes, tree: Tree, block: int) -> str:
    keep = np.zeros(len(tree.blocks), np.bool_)
    keep[block] = True
    return norm(resolve(render(data, tree, keep).decode("utf-8", "replace"))).removeprefix("- ")


def read_page(name: str, data: bytes, notes: dict[str, list[str]]) -> Page:
    try:
        data.decode()
    except UnicodeDecodeError:
        data = decode_page(data).encode("utf-8", "replace")
    tree = parse(data)
    pieces = [_block_text(data, tree, block) for block in range(len(tree.blocks))]
    starts = np.cumsum([0] + [len(piece) + 1 for piece in pieces])
    text = " ".join(pieces)
    wanted, weight = np.zeros(len(pieces)), np.zeros(len(pieces))
    for kind in ("without", "with"):
        for segment in map(norm, notes[kind]):
            found = [match.start() for match in re.finditer(re.escape(segment), text)]
            for place in found:
                low = np.searchsorted(starts, place, "right") - 1
                high = np.searchsorted(starts, place + len(segment) - 1, "right") - 1
                wanted[low : high + 1] = kind == "with"
                # One occurrence is enough: which of several is meant is not known.
                weight[low : high + 1] = 1 / len(found)
    return Page(name, data, tree, measure(data, tree), wanted, weight, notes)


def read_pages(folder: Path) -> list[Page]:
    annotations = json.loads((folder / "annotations.json").read_text("utf-8"))
    return [
        read_page(name, gzip.decompress((folder / "html" / name).read_bytes()), annotations[name])
        for name in sorted(annotations)
    ]


def _article(page: Page) -> tuple[int, list[bytes]]:
    """(the innermost element around all wanted paragraphs, the bytes of its own paragraphs)."""
    tree = page.tree
    chosen = np.flatnonzero((page.wanted == 1) & (page.weight > 0.4) & (tree.blocks[:, CHARS] > 60))
    if not len(chosen):
        return 0, []
    paths = []
    for block in chosen:
        node, path = tree.blocks[block, NODE], []
        while node:
            path.append(int(node))
            node = tree.parent[node]
        paths.append(path)
    common = set(paths[0]).intersection(*paths)
    node = next((node for node in paths[0] if node in common and TAGS[tree.tag[node]] not in ("p", "li")), 0)
    paragraphs = [
        page.data[block[START] : block[END]]
        for block in tree.blocks[tree.first[node] : tree.last[node]]
        if block[CHARS] > 60 and TAGS[tree.tag[block[NODE]]] == "p"
    ]
    return node, paragraphs


def with_tail(page: Page, others: list[Page], seed: int) -> Page | None:
    """The page with a tail of other pages' text after its article."""
    chance = random.Random(f"{page.name} {seed}")
    node, paragraphs = _article(page)
    if not node or len(paragraphs) < 3:
        return None
    sources = [source for source in chance.sample(others, min(12, len(others))) if source is not page]
    stories = [(source, story) for source in sources if len(story := _article(source)[1]) >= 3]
    if len(stories) < 3:
        return None
    tree, data = page.tree, page.data
    opening = data[tree.span[node, 0] :].split(b">", 1)[0] + b">"
    closing = b"</" + TAGS[tree.tag[node]].encode() + b">"
    kind = chance.choice(("story", "story", "teasers", "teasers", "remarks"))
    tail = b""
    if kind == "story":
        for source, story in stories[: chance.choice((1, 1, 2, 3))]:
            title = source.data[source.tree.title[0] : source.tree.title[1]][:80] or b"Next"
            heading = chance.choice((b"h1", b"h1", b"h2"))
            tail += opening + b"<%s>%s</%s>" % (heading, title, heading)
            tail += b"".join(b"<p>%s</p>" % paragraph for paragraph in story[: chance.randint(3, 25)]) + closing
    elif kind == "teasers":
        heading = chance.choice((b"h2", b"h3", b"h4"))
        outer, inner = chance.choice(((b"div", b"div"), (b"ul", b"li"), (b"section", b"article"), (b"div", b"article")))
        tail = b"<%s>" % outer
        for source, story in stories * 2:
            title = source.data[source.tree.title[0] : source.tree.title[1]][:80] or b"More"
            lead = story[chance.randrange(2)][: chance.choice((120, 250, 1000))]
            lead = lead.decode("utf-8", "ignore").encode()
            tail += b"<%s><%s><a href='#'>%s</a></%s><p>%s</p></%s>" % (inner, heading, title, heading, lead, inner)
        tail += b"</%s>" % outer
    else:
        tail = b"<div>"
        for source, story in stories * 2:
            who = source.name[:3].encode()
            tail += b"<div><div>User %s</div><div>12.3.2021</div><p>%s</p></div>" % (who, chance.choice(story[:8]))
        tail += b"</div>"
    place = node
    if kind != "story":
        for _ in range(chance.choice((0, 0, 1, 2))):
            if TAGS[tree.tag[tree.parent[place]]] not in ("", "body", "td", "tr"):
                place = int(tree.parent[place])
    at = int(tree.span[place, 1])
    inside = kind == "teasers" and chance.random() < 0.4
    if not inside:
        at += data[at:].find(b">") + 1 if data[at : at + 2] == b"</" else 0
    made = data[:at] + tail + data[at:]
    tree = parse(made)
    begins = tree.blocks[:, START]
    in_tail = (begins >= at) & (begins < at + len(tail))
    wanted, weight = np.zeros(len(begins)), np.zeros(len(begins))
    shift = np.where(begins >= at + len(tail), begins - len(tail), begins)
    known = {int(block[START]): index for index, block in enumerate(page.tree.blocks)}
    for index in np.flatnonzero(~in_tail):
        old = known.get(int(shift[index]))
        if old is not None:
            wanted[index], weight[index] = page.wanted[old], page.weight[old] * 0.5
    weight[in_tail] = TAIL_WEIGHT
    return Page(page.name + "+" + kind, made, tree, measure(made, tree), wanted, weight, page.notes)


def fit(pages: list[Page], ridge: float = RIDGE, tails: int = 1) -> Model:
    """L2-regularised logistic regression over annotated blocks, by Newton's method, on standardised features."""
    made = [tailed for seed in range(tails) for page in pages if (tailed := with_tail(page, pages, seed))]
    used = [*pages, *made]
    x = np.concatenate([page.features[page.weight > 0] for page in used]).astype(np.float64)
    y = np.concatenate([page.wanted[page.weight > 0] for page in used])
    w = np.concatenate([page.weight[page.weight > 0] for page in used])
    centre, scale = x.mean(0), np.maximum(x.std(0), 0.02)
    z = np.c_[(x - centre) / scale, np.ones(len(x))]
    penalty = np.full(z.shape[1], ridge)
    penalty[-1] = 0
    beta = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ beta))
        gradient = z.T @ (w * (p - y)) + penalty * beta
        hessian = (z * (w * p * (1 - p))[:, None]).T @ z + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        beta -= step
        if np.abs(step).max() < 1e-8:
            break
    weights = beta[:-1] / scale
    return Model(weights.astype(np.float32), float(beta[-1] - centre @ weights), THRESHOLD)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "extraction")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "massivetext" / "data" / "salient.json")
    arguments = parser.parse_args()
    pages = read_pages(arguments.data)
    model = fit(pages)
    stored = {
        "made_by": "benchmarks/fit_extraction.py",
        "pages": len(pages),
        "annotated_blocks": int(sum((page.weight > 0).sum() for page in pages)),
        "threshold": model.threshold,
        "bias": round(model.bias, 5),
        "weights": {name: round(float(value), 5) for name, value in zip(FEATURES, model.weights)},
    }
    arguments.output.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    blocks = stored["annotated_blocks"]
    print(f"{len(pages)} pages, {blocks} annotated blocks, {len(FEATURES)} weights: {arguments.output}")


if __name__ == "__main__":
    main()
