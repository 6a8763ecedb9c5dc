"""The parser against html5lib's tree-construction tests: how many documents give another text than the standard's tree.

    python benchmarks/html5lib_cases.py FOLDER [--show]

FOLDER holds the tests' .dat files: html5lib/tests/testdata/tree-construction in the sdist of html5lib 1.1. Text is
compared without whitespace, and without the elements whose text no reader sees or that the parser leaves out (HIDDEN).
Fragments and cases with scripting are left out.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from massivetext.extraction.finish import resolve
from massivetext.extraction.nesting import nesting
from massivetext.extraction.prepare import read
from massivetext.extraction.render import style_of, write_blocks

HIDDEN = frozenset(
    (
        *("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "svg svg", "math math", "select"),
        *("template", "content", "video", "audio", "datalist", "rt", "rp", "rtc", "head"),
    )
)
_CASE = re.compile(r"(?:^|\n\n)(?=#data\n)")
_IGNORED = re.compile("\\s+|[\0\ufffd\u00ad\u200b]")


def cases(path: Path) -> Iterator[tuple[str, str]]:
    """Give (page, tree) of each document in a file of tests."""
    with path.open(encoding="utf-8", newline="") as stream:
        for part in _CASE.split(stream.read()):
            data = re.match(r"#data\n(.*?)\n?#errors", part, re.DOTALL)
            tree = re.search(r"#document\n(.*)", part, re.DOTALL)
            if data and tree and "#document-fragment" not in part and "#script-on" not in part:
                yield data[1], tree[1]


def text_of_tree(tree: str) -> str:
    """Return the text of a tree that the tests write as indented lines."""
    lines: list[str] = []
    for line in tree.split("\n"):
        if line.startswith("| "):
            lines.append(line[2:])
        elif lines:
            lines[-1] += "\n" + line
    text: list[str] = []
    above: list[str] = []
    for line in lines:
        content = line.lstrip(" ")
        depth = (len(line) - len(content)) // 2
        above = above[:depth] + [""] * (depth - len(above))
        if content.startswith('"'):
            if HIDDEN.isdisjoint(above):
                text.append(content[1:].rstrip("\n").removesuffix('"'))
        elif content == "content" or (content.startswith("<") and not content.startswith("<!")):
            above.append(content.strip("<").split(">")[0])
    return _IGNORED.sub("", "".join(text))


def text_of_page(markup: str) -> str:
    page, tree = read(markup.encode("utf-8", "replace"))
    inside, _ = nesting(tree.tag, tree.parent)
    keep = np.ones(len(tree.blocks), np.bool_)
    written, _ = write_blocks(np.frombuffer(page, np.uint8), tree.blocks, keep, inside, style_of(tree))
    return _IGNORED.sub("", resolve(written.tobytes().decode("utf-8", "replace")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", action="store_true", help="print each document that differs")
    arguments = parser.parse_args()
    n_cases = n_different = 0
    for path in sorted(arguments.folder.rglob("*.dat")):
        for markup, tree in cases(path):
            n_cases += 1
            expected, actual = text_of_tree(tree), text_of_page(markup)
            if expected != actual:
                n_different += 1
                if arguments.show:
                    print(f"{path.name} {markup!r}\n  expected {expected!r}\n  actual   {actual!r}")
    print(f"{n_cases:,} documents, {n_different} with another text")


if __name__ == "__main__":
    main()
