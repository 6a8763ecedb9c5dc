"""Fit the trees of the engine `salient` to annotated pages, and write massivetext/data/salient.npz.

    python benchmarks/fit_extraction.py [--data DIR] [--output FILE]

DIR holds `wcxb` and `extraction` (see benchmarks/extraction_pages.py). Both are used together; pages count by type,
and by block with the square root of its words. The second stage is fitted to probabilities of first stages that have
not seen the page's domain. The same data and the same LightGBM give the same bytes.

Annotations cannot show text kept after the article's end where nothing is annotated. So some pages are used a second
time with a tail made from other annotated pages: the next story in the article's own template, teasers with a
paragraph, or remarks in repeated elements; every block of the tail is unwanted. And the text of some articles is used
once more on small plain pages, with such tails and without.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from extraction_pages import (
    DATA,
    REPOSITORY,
    WCXB_TYPES,
    Page,
    innermost,
    read_segments,
    read_wcxb,
)

from massivetext.extraction import features, salient
from massivetext.extraction.context import N_CONTEXT
from massivetext.extraction.evidence import HEAD_COLUMNS
from massivetext.extraction.html import CHARS, START, WORDS
from massivetext.extraction.prepare import read
from massivetext.extraction.salient import PAGE_TYPES, Model, model_of
from massivetext.extraction.tags import TAGS
from massivetext.extraction.trees import Forest, compile_trees, evaluate, ranges_of

FOLDS = 3
ARTICLE_FLOOR = 0.5
PAGE_WEIGHT = 300.0
SEGMENT_WEIGHT = 100.0
"""What all annotated blocks of a page of `extraction` weigh together; of a wcxb page PAGE_WEIGHT."""

TAIL_WEIGHT = 100.0
TAIL_EVERY = 4
PLAIN_WEIGHT = 100.0
PLAIN_EVERY = 2
TYPE_WEIGHTS = {"article": 0.8}
_COMMON = {
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
    "max_bin": 63,
    "lambda_l2": 5.0,
    "bagging_freq": 1,
}
FIRST = _COMMON | {
    "objective": "binary",
    "num_leaves": 31,
    "max_depth": 8,
    "learning_rate": 0.1,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.35,
    "bagging_fraction": 0.5,
}
SECOND = FIRST | {
    "num_leaves": 8,
    "max_depth": 6,
    "learning_rate": 0.05,
    "min_data_in_leaf": 300,
    "lambda_l2": 20.0,
    "feature_fraction": 0.5,
}
SECOND_OWN = (
    *(
        "length",
        "link_density",
        "words",
        "ends",
        "heading",
        "is_li",
        "is_p",
        "is_div",
        "is_pre",
        "is_definition",
        "weight",
    ),
    *("ratio", "own_ratio", "container_ratio", "group_score", "unit_share", "near_unit_links", "group_template_long"),
    *("group_template_count", "template_count", "copies", "copy_before", "position", "section_level", "section_blocks"),
    *("best_share", "page_weight", "long_share", "run_links", "in_table"),
)
"""What the second stage sees beside the context; all features would let it fit the pages again."""

SECOND_COLUMNS = np.array([*range(N_CONTEXT), *map(features.FEATURES.index, SECOND_OWN)])
FIRST_COLUMNS = np.arange(N_CONTEXT, len(features.FEATURES))
TYPES = _COMMON | {
    "objective": "multiclass",
    "num_class": len(PAGE_TYPES),
    "num_leaves": 7,
    "max_depth": 4,
    "learning_rate": 0.1,
    "min_data_in_leaf": 15,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
}
FIRST_ROUNDS, SECOND_ROUNDS, TYPE_ROUNDS = 150, 80, 60
BARE_WEIGHT = 0.3


@dataclass
class Example:
    """A page with its measures and what its blocks weigh in fitting. p: the first stage's probabilities, once known."""

    page: Page
    measured: features.Measured
    weight: np.ndarray
    p: np.ndarray


def example(page: Page, total: float) -> Example:
    """Measure a page; its blocks weigh `total` together, each by the square root of its words."""
    measured = features.measure(page.data, page.tree)
    weight = page.weight * np.sqrt(page.tree.blocks[:, WORDS] + 1.0)
    weight *= total * TYPE_WEIGHTS.get(page.kind, 1.0) / max(weight.sum(), 1e-9)
    return Example(page, measured, weight, np.zeros(len(weight), np.float32))


def fold_of(page: Page, folds: int = FOLDS) -> int:
    """The fold of a page, by its domain."""
    return int.from_bytes(hashlib.blake2b(page.domain.encode(), digest_size=4).digest(), "big") % folds


def _article(page: Page) -> tuple[int, list[bytes]]:
    """(the innermost element around all wanted paragraphs, the bytes of its own paragraphs)."""
    tree = page.tree
    chosen = np.flatnonzero((page.wanted >= 0.5) & (page.weight > 0.4) & (tree.blocks[:, CHARS] > 60))
    if not len(chosen):
        return 0, []
    node = innermost(page, chosen)
    paragraphs = [
        page.data[start:end]
        for start, end, owner, chars in tree.blocks[tree.first[node] : tree.last[node], :4].tolist()
        if chars > 60 and TAGS[tree.tag[owner]] == "p"
    ]
    return node, paragraphs


def _stories(page: Page, others: list[Page], chance: random.Random) -> list[tuple[Page, list[bytes]]]:
    sources = [source for source in chance.sample(others, min(12, len(others))) if source is not page]
    return [(source, story) for source in sources if len(story := _article(source)[1]) >= 3]


def _title(page: Page) -> bytes:
    return page.data[page.tree.title[0] : page.tree.title[1]][:80] or b"More"


def _story_tail(
    stories: list[tuple[Page, list[bytes]]], opening: bytes, closing: bytes, chance: random.Random
) -> bytes:
    tail = b""
    for source, story in stories[: chance.choice((1, 1, 2, 3))]:
        heading = chance.choice((b"h1", b"h1", b"h2"))
        tail += opening + b"<%s>%s</%s>" % (heading, _title(source), heading)
        tail += b"".join(b"<p>%s</p>" % paragraph for paragraph in story[: chance.randint(3, 25)]) + closing
    return tail


def _teasers_tail(stories: list[tuple[Page, list[bytes]]], chance: random.Random) -> bytes:
    heading = chance.choice((b"h2", b"h3", b"h4"))
    outer, inner = chance.choice(((b"div", b"div"), (b"ul", b"li"), (b"section", b"article"), (b"div", b"article")))
    tail = b"<%s>" % outer
    for source, story in stories * 2:
        lead = story[chance.randrange(2)][: chance.choice((120, 250, 1000))]
        lead = lead.decode("utf-8", "ignore").encode()
        tail += b"<%s><%s><a href='#'>%s</a></%s>" % (inner, heading, _title(source), heading)
        tail += b"<p>%s</p></%s>" % (lead, inner)
    return tail + b"</%s>" % outer


def _remarks_tail(stories: list[tuple[Page, list[bytes]]], chance: random.Random) -> bytes:
    remarks = [
        b"<div><div>User %s</div><div>12.3.2021</div><p>%s</p></div>"
        % (source.name[:3].encode(), chance.choice(story[:8]))
        for source, story in stories * 2
    ]
    return b"<div>" + b"".join(remarks) + b"</div>"


def with_tail(page: Page, others: list[Page], seed: int) -> Page | None:
    """The page with a tail of other pages' text after its article; None if it has no article to put it after."""
    chance = random.Random(f"{page.name} {seed}")
    node, paragraphs = _article(page)
    if not node or len(paragraphs) < 3:
        return None
    stories = _stories(page, others, chance)
    if len(stories) < 3:
        return None
    tree, data = page.tree, page.data
    kind = chance.choice(("story", "story", "teasers", "teasers", "remarks", "remarks"))
    if kind == "story":
        opening = data[tree.span[node, 0] :].split(b">", 1)[0] + b">"
        tail = _story_tail(stories, opening, b"</" + TAGS[tree.tag[node]].encode() + b">", chance)
    elif kind == "teasers":
        tail = _teasers_tail(stories, chance)
    else:
        tail = _remarks_tail(stories, chance)
    place = node
    if kind != "story":
        for _ in range(chance.choice((0, 0, 1, 2))):
            if TAGS[tree.tag[tree.parent[place]]] not in ("", "body", "td", "tr"):
                place = int(tree.parent[place])
    at = int(tree.span[place, 1])
    inside = kind == "teasers" and chance.random() < 0.4
    if not inside:
        at += data[at:].find(b">") + 1 if data[at : at + 2] == b"</" else 0
    return _joined(page, data[:at] + tail + data[at:], at, len(tail), kind)


def _joined(page: Page, data: bytes, at: int, size: int, kind: str) -> Page:
    """The page with the tail data[at : at + size]: other blocks keep their annotation."""
    data, tree = read(data)
    begins = tree.blocks[:, START]
    in_tail = (begins >= at) & (begins < at + size)
    wanted, weight = np.zeros(len(begins)), np.zeros(len(begins))
    shift = np.where(begins >= at + size, begins - size, begins)
    known = {int(start): index for index, start in enumerate(page.tree.blocks[:, START])}
    for index in np.flatnonzero(~in_tail):
        old = known.get(int(shift[index]))
        if old is not None:
            wanted[index], weight[index] = page.wanted[old], page.weight[old]
    weight[in_tail] = 1.0 if page.text else 0.02
    return Page(f"{page.name}+{kind}", page.domain, page.kind, data, tree, [], wanted, weight, page.text, page.notes)


def _plain_block(page: Page, block: int) -> bytes:
    """A block in an element of its own kind, without attributes."""
    start, end, node = page.tree.blocks[block, :3]
    name = TAGS[page.tree.tag[node]]
    inner = page.data[start:end]
    if name in ("h1", "h2", "h3", "h4", "pre", "blockquote"):
        return b"<%s>%s</%s>" % (name.encode(), inner, name.encode())
    return b"<ul><li>%s</ul>" % inner if name in ("li", "dd") else b"<p>%s</p>" % inner


def plain_page(page: Page, others: list[Page], seed: int) -> Page | None:
    """A small page with the page's main text: a menu, the text in one element, other pages' text or none, a footer.

    Hand-made and simple sites look like this: no data in the head, few classes, few blocks.
    """
    chance = random.Random(f"plain {page.name} {seed}")
    chars = page.tree.blocks[:, CHARS]
    wanted = np.flatnonzero(page.wanted >= 0.5)[: chance.randint(4, 40)]
    links = np.flatnonzero((page.wanted == 0) & (chars > 2) & (chars < 40))
    stories = _stories(page, others, chance)
    if len(wanted) < 4 or len(links) < 8 or len(stories) < 3:
        return None
    names = [page.data[start:end] for start, end in page.tree.blocks[chance.sample(list(links), 8), :2].tolist()]
    menu = b"".join(
        b'<li><a href="/%d">%s</a></li>' % (i, name) for i, name in enumerate(names[: chance.randint(3, 6)])
    )
    name = chance.choice((b"div", b"div", b"article", b"main", b"section"))
    opening = b"<%s%s>" % (name, chance.choice((b"", b' class="article"', b' class="content"', b' id="text"')))
    closing = b"</%s>" % name
    title = b"<h1>%s</h1>" % _title(page) if chance.random() < 0.7 else b""
    head = b"<html><head><title>%s</title></head><body><div><ul>%s</ul></div>" % (_title(page), menu)
    before = head + opening
    text = title + b"".join(_plain_block(page, block) for block in wanted)
    kind = chance.choice(("none", "none", "story", "teasers", "remarks"))
    tail = b""
    if kind == "story":
        tail = _story_tail(stories, opening, closing, chance)
    elif kind == "teasers":
        tail = _teasers_tail(stories, chance)
    elif kind == "remarks":
        tail = _remarks_tail(stories, chance)
    footer = b"<div><p>%s</p><a href=/>%s</a></div></body></html>" % (names[6], names[7])
    data, tree = read(before + text + closing + tail + footer)
    starts = tree.blocks[:, START]
    inside = (starts >= len(before)) & (starts < len(before) + len(text))
    labels = inside.astype(np.float64)
    return Page(
        f"{page.name}+plain {kind}", page.domain, page.kind, data, tree, [], labels, np.ones(len(labels)), page.text
    )


def read_examples(folder: Path) -> list[Example]:
    """All pages, then those with tails: every page of `extraction`, and of wcxb every TAIL_EVERY-th article."""
    whole, segmented = list(read_wcxb(folder / "wcxb")), list(read_segments(folder / "extraction"))
    examples = [example(page, PAGE_WEIGHT) for page in whole]
    examples += [example(page, SEGMENT_WEIGHT) for page in segmented]
    articles = [page for page in whole if page.kind == "article"]
    for group, every, make, weight in (
        (articles, TAIL_EVERY, with_tail, TAIL_WEIGHT),
        (segmented, 1, with_tail, TAIL_WEIGHT),
        (articles, PLAIN_EVERY, plain_page, PLAIN_WEIGHT),
    ):
        for page in group[::every]:
            # Tails come from the page's own fold, so that no fold is fitted to another's text.
            others = [other for other in group if fold_of(other) == fold_of(page)]
            changed_page = make(page, others, 0)
            if changed_page is not None:
                examples.append(example(changed_page, weight))
    return examples


def _fit_blocks(examples: Iterable[Example], second: bool) -> Forest:
    """Fit one stage. The first does not see the columns of context; the second corrects the first one's log-odds."""
    used = [(one, one.weight > 0) for one in examples]
    columns = SECOND_COLUMNS if second else FIRST_COLUMNS
    x = np.concatenate([one.measured.values[rows][:, columns] for one, rows in used])
    y = np.concatenate([one.page.wanted[rows] >= 0.5 for one, rows in used])
    weight = np.concatenate([one.weight[rows] for one, rows in used])
    start = None
    if second:
        p = np.clip(np.concatenate([one.p[rows] for one, rows in used]).astype(np.float64), 1e-4, 1 - 1e-4)
        start = np.log(p / (1 - p))
    settings = SECOND if second else FIRST
    data = lightgbm.Dataset(x, y.astype(np.int8), weight=weight, init_score=start, params=settings)
    return _compiled(lightgbm.train(settings, data, SECOND_ROUNDS if second else FIRST_ROUNDS), columns)


def _compiled(booster: lightgbm.Booster, columns: np.ndarray | None = None, n_outputs: int = 1) -> Forest:
    """The booster's trees, by the columns of `features.measure` that its own stand for."""
    return compile_trees([tree["tree_structure"] for tree in booster.dump_model()["tree_info"]], n_outputs, columns)


def first_stages(examples: list[Example]) -> list[Forest]:
    """Fit a first stage for each fold, without the fold's pages, and fill in their probabilities and context.

    Returns:
        The forest that has not seen the pages of fold 0, of fold 1, and so on.
    """
    folds = np.array([fold_of(one.page) for one in examples])
    forests = []
    for fold in range(FOLDS):
        forests.append(fit_first(one for one, number in zip(examples, folds) if number != fold))
        for one, number in zip(examples, folds):
            if number == fold and len(one.p):
                sums = np.zeros((len(one.p), 1), np.float32)
                forest, values = forests[-1], one.measured.values
                evaluate(forest, 0, len(forest.output), values, ranges_of(values), sums)
                one.p[:] = 1 / (1 + np.exp(-sums[:, 0]))
                add_context(one)
    return forests


def add_context(one: Example) -> None:
    """Fill the columns of context from the example's probabilities."""
    tree = one.page.tree
    words = np.maximum(tree.blocks[:, WORDS], 1).astype(np.float64)
    salient.second_values(one.measured.values, one.measured.keys, words, tree.tag, tree.blocks, one.p)


def fit_types(examples: Iterable[Example]) -> Forest:
    """Fit the types of pages.

    Each page counts once more without what its head and address say, so that a page that says nothing is judged by its
    make-up.
    """
    pages = [one for one in examples if one.page.kind and len(one.p) and "+" not in one.page.name]
    x = np.concatenate([one.measured.values[:1, features.FIRST_PAGE_COLUMN :] for one in pages])
    y = np.array([WCXB_TYPES.index(one.page.kind) for one in pages])
    bare = x.copy()
    bare[:, HEAD_COLUMNS] = 0
    weight = np.repeat([1.0, BARE_WEIGHT], len(y))
    data = lightgbm.Dataset(np.concatenate([x, bare]), np.concatenate([y, y]), weight=weight, params=TYPES)
    return _compiled(lightgbm.train(TYPES, data, TYPE_ROUNDS), n_outputs=len(PAGE_TYPES))


def fit_second(examples: Iterable[Example]) -> Forest:
    """Fit the second stage to examples with context."""
    return _fit_blocks(examples, second=True)


def fit_first(examples: Iterable[Example]) -> Forest:
    """Fit the first stage."""
    return _fit_blocks(examples, second=False)


def fit(examples: list[Example]) -> Model:
    """Fit the whole model; the examples' probabilities are filled in."""
    first_stages(examples)
    return model_of(fit_first(examples), fit_second(examples), fit_types(examples), ARTICLE_FLOOR)


def save(model: Model, path: Path) -> None:
    """Write a model as arrays of numbers."""
    numbers = {"second": np.int64(model.second), "types": np.int64(model.types)}
    with path.open("wb") as file:
        np.savez(file, **model.trees._asdict(), **numbers, article_floor=np.float64(model.article_floor))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "massivetext" / "data" / "salient.npz")
    arguments = parser.parse_args()
    started = time.process_time()
    examples = read_examples(arguments.data)
    model = fit(examples)
    save(model, arguments.output)
    print(
        f"{len(examples)} pages, {sum(len(one.p) for one in examples)} blocks, {len(features.FEATURES)} features, "
        f"{len(model.trees.limit)} splits, {arguments.output.stat().st_size:,} bytes, "
        f"{time.process_time() - started:.0f} CPU s: {arguments.output}"
    )


if __name__ == "__main__":
    main()
