"""Test items as they stand on the web: how many of 12 renderings are removed, and how many clean documents with them.

`python benchmarks/bench_renderings.py [ITEMS]`. Items of MMLU, HellaSwag, GSM8K and LAMBADA are set into pages of prose
in 12 forms, and judged by the limits of the recipe gopher. Clean documents are texts that hold none. Test sets and
texts are read from MASSIVETEXT_DATA.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from bench_contamination import DATA, SETS, corpora

from massivetext.contamination import TestSets, verdict
from massivetext.contamination.items import read_items
from pipelines import recipe as recipes

WORDS = 200
"""Words of prose before an item, and after it."""


@dataclass(frozen=True)
class Question:
    """An item as its test set has it. options: none where it is a text alone. right: the number of the right one."""

    set_name: str
    number: int
    text: str
    options: tuple[str, ...] = ()
    right: int = 0

    @property
    def lettered(self) -> list[str]:
        return [f"{letter}. {option}" for letter, option in zip("ABCDEFGHIJ", self.options)]

    @property
    def prompt(self) -> str:
        """The item as a prompt of several lines."""
        if not self.options:
            return "\n".join(re.split(r"(?<=[.!?]) ", self.text))
        return "\n".join([f"Question: {self.text}", *self.lettered, "Answer:"])

    @property
    def plain(self) -> str:
        return " ".join([self.text, *self.options]) if self.set_name != "hellaswag" else f"{self.text} {self.ending}"

    @property
    def ending(self) -> str:
        return self.options[self.right]


def questions(n: int, rng: random.Random) -> list[Question]:
    """A sample of n items of each set among those that are searched for."""
    drawn: list[Question] = []
    for testset in SETS:
        if testset.name == "wikitext":
            continue
        items = [_question(testset.name, k, item.raw, item.text) for k, item in enumerate(read_items(testset))]
        index = TestSets.read([testset])
        searched = np.bincount(index.arrays.of_item[index.arrays.n_shingles > 0], minlength=len(items)) > 0
        known = [item for item in items if searched[item.number]]
        drawn += rng.sample(known, min(n, len(known)))
    return drawn


def _question(name: str, number: int, raw: str, text: str) -> Question:
    lines = raw.splitlines()
    if name == "hellaswag":
        return Question(name, number, lines[0].strip(), tuple(line.strip() for line in lines[2:6]), int(lines[1]))
    if name == "mmlu":
        records = [json.loads(line) for line in lines]
        right = next((k for k, record in enumerate(records) if record.get("is_correct")), 0)
        return Question(name, number, records[0]["question"], tuple(str(r["answer"]) for r in records), right)
    return Question(name, number, text)


def in_lines(item: Question, rng: random.Random) -> str:
    return f"{item.prompt} {'ABCDEFGHIJ'[item.right]}" if item.options else item.text


def run_in(item: Question, rng: random.Random) -> str:
    options = " ".join(f"({letter}) {option}" for letter, option in zip("ABCDEFGHIJ", item.options))
    return f"{item.text} {options} The answer is ({'ABCDEFGHIJ'[item.right]})." if item.options else item.text


def as_arc(item: Question, rng: random.Random) -> str:
    choices = [{"text": option, "label": letter} for letter, option in zip("ABCDEFGHIJ", item.options)]
    record = {"id": f"item_{item.number}", "question": {"stem": item.text, "choices": choices}}
    return json.dumps({**record, "answerKey": "ABCDEFGHIJ"[item.right]})


def as_hellaswag(item: Question, rng: random.Random) -> str:
    context, _, rest = item.text.rpartition(". ")
    record = {"ind": item.number, "activity_label": "Other", "ctx_a": context, "ctx_b": rest, "ctx": item.text}
    return json.dumps({**record, "split": "val", "label": item.right, "endings": list(item.options)})


def as_record(item: Question, rng: random.Random) -> str:
    record = {"question": item.text, "subject": "other_things", "choices": list(item.options), "answer": item.right}
    return json.dumps(record if item.options else {"id": item.number, "text": item.text}, ensure_ascii=False)


def as_csv(item: Question, rng: random.Random) -> str:
    row = io.StringIO()
    csv.writer(row).writerow([item.text, *item.options, "ABCDEFGHIJ"[item.right]])
    return row.getvalue()


def as_dict(item: Question, rng: random.Random) -> str:
    options = ", ".join(map(repr, item.options))
    return f"{{'question': {item.text!r}, 'choices': array([{options}], dtype=object), 'answer': {item.right}}}"


def escaped(item: Question, rng: random.Random) -> str:
    return json.dumps({"messages": [{"role": "user", "content": item.prompt}]})


def notebook(item: Question, rng: random.Random) -> str:
    lines = item.prompt.split("\n")
    source = [f"prompt = '''{lines[0]}\n", *(f"{line}\n" for line in lines[1:]), "'''"]
    return json.dumps({"cell_type": "code", "source": source}, indent=1)


def respaced(item: Question, rng: random.Random) -> str:
    """Hyphens become spaces, and other symbols have spaces around them or none."""
    text = re.sub(r"(?<=\w)[-/](?=\w)", " ", item.plain)
    return re.sub(r"\s*([=+*^_(){}\[\]\\$,<>])\s*", lambda match: rng.choice((r" %s ", "%s ")) % match[1], text)


def marked_up(item: Question, rng: random.Random) -> str:
    options = "".join(f"<li>{html.escape(option)}</li>" for option in item.options)
    return f"<p>{html.escape(item.text)}</p><ol>{options}</ol>"


def edited(item: Question, rng: random.Random) -> str:
    """5 % of the words replaced, one at least."""
    words = item.plain.split()
    for at in rng.sample(range(len(words)), max(1, round(len(words) / 20))):
        words[at] = "otherword"
    return " ".join(words)


RENDERINGS: dict[str, Callable[[Question, random.Random], str]] = {
    "lines: `A. ...`": in_lines,
    "run in: `(A) ...`": run_in,
    "ARC, JSON": as_arc,
    "HellaSwag, JSON": as_hellaswag,
    "record, JSON": as_record,
    "CSV": as_csv,
    "dict, Python": as_dict,
    "prompt in JSON": escaped,
    "notebook": notebook,
    "other spaces": respaced,
    "HTML": marked_up,
    "5 % replaced": edited,
}
"""Forms with options are of MMLU and HellaSwag alone."""
_WITH_OPTIONS = {"lines: `A. ...`", "run in: `(A) ...`", "ARC, JSON", "HellaSwag, JSON", "dict, Python"}


def clean_documents() -> dict[str, list[str]]:
    """Texts that hold no item: PEPs, Wikipedia, paragraphs of books, main texts of web pages and news."""
    texts = corpora()
    chosen = {name: texts[name] for name in ("peps", "wikipedia", "paragraphs")}
    pages = []
    for path in sorted((DATA / "wcxb" / "ground-truth").glob("*.json")):
        truth = json.loads(path.read_text("utf-8"))["ground_truth"]
        pages.append(truth.get("main_content") or "")
    chosen["web pages"] = [page for page in pages if page.strip()]
    chosen["news"] = (DATA / "news" / "lee-300-news-items.txt").read_text("utf-8", "replace").splitlines()
    return chosen


def removed(testsets: TestSets, texts: list[str], settings: dict[str, object]) -> dict[str, np.ndarray]:
    """By reason, bool[texts]: the documents that it removes."""
    return verdict(testsets.measure(pa.array(texts, pa.large_string())), **settings)  # type: ignore[arg-type]


def recall(testsets: TestSets, items: list[Question], settings: dict[str, object]) -> float:
    """Print a row for each rendering; return the share that is removed of all."""
    rng = random.Random(1)
    prose = " ".join(corpora()["books"][3:20]).split()
    n_removed = n_all = 0
    print(f"{'rendering':<20} {'items':>6} {'J, containment':>15} {'all limits':>11}")
    for name, render in RENDERINGS.items():
        chosen = [item for item in items if item.options or name not in _WITH_OPTIONS]
        pages = []
        for item in chosen:
            at = rng.randrange(len(prose) - 2 * WORDS)
            before, after = " ".join(prose[at : at + WORDS]), " ".join(prose[at + WORDS : at + 2 * WORDS])
            pages.append(f"{before}\n\n{render(item, rng)}\n\n{after}")
        broken = removed(testsets, pages, settings)
        strict = broken["contamination.jaccard"] | broken["contamination.containment"]
        any_limit = np.logical_or.reduce(list(broken.values()))
        n_removed += int(any_limit.sum())
        n_all += len(chosen)
        print(f"{name:<20} {len(chosen):>6} {strict.mean():>15.3f} {any_limit.mean():>11.3f}")
        if "--show" in sys.argv:
            for at in np.flatnonzero(~any_limit)[:4]:
                print("   ", chosen[at].set_name, repr(pages[at].split("\n\n")[1][:300]))
    return n_removed / n_all


def main() -> None:
    started = time.process_time()
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    testsets = TestSets.read(SETS)
    block = recipes.read("gopher").contamination
    settings = {
        "contamination": block.contamination,
        "jaccard": block.jaccard,
        "containment": block.containment,
        "limits": block.limits,
    }
    print(
        f"index: {testsets.nbytes / 1e6:.1f} MB, made in {time.process_time() - started:.1f} s; limits {block.limits}"
    )
    share = recall(testsets, questions(numbers[0] if numbers else 250, random.Random(0)), settings)
    print(f"removed of all renderings: {share:.4f}\n")
    print(f"{'clean documents':<16} {'texts':>6} {'removed':>8}")
    n_all = n_false = 0
    for name, texts in clean_documents().items():
        broken = removed(testsets, texts, settings)
        hits = np.logical_or.reduce(list(broken.values()))
        n_all, n_false = n_all + len(texts), n_false + int(hits.sum())
        print(f"{name:<16} {len(texts):>6} {int(hits.sum()):>8}")
        if "--show" in sys.argv:
            columns = testsets.measure(pa.array([texts[at] for at in np.flatnonzero(hits)], pa.large_string()))
            for row in columns.to_pylist():
                print("   ", {key: value for key, value in row.items() if value})
    print(f"false, of 10,000 clean documents: {n_false / n_all * 1e4:.2f}")


if __name__ == "__main__":
    if not os.path.isdir(DATA):
        sys.exit(f"no text at {DATA}: set MASSIVETEXT_DATA")
    main()
