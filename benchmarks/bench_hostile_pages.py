"""Extraction of hostile pages: seconds a megabyte at one size and at twice that size, beside an earlier release.

    python benchmarks/bench_hostile_pages.py [--earlier FOLDER] [--scale S]

FOLDER is a checkout of an earlier release. Each program runs in a process of its own; times are CPU seconds, the best
of three. Where time is linear in size, both columns of a program are alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

PAGES = {
    "nested div": "b'<div>' * n + b'text' + b'</div>' * n",
    "nested lists": "b'<ul><li>x' * n",
    "nested tables": "b'<table><tr><td>x' * n",
    "nested spans in a paragraph": "b'<p>' + b'<span class=a>x' * n",
    "paragraphs": "b'<p>Some words of a text.' * n",
    "line breaks": "b'words<br><br>' * n",
    "links": "b'<a href=/x>link</a> ' * n",
    "comments first": "b'<!-- c -->\\n' * n + b'<p>text'",
    "comments that never end": "b'<p>' + b'<!-- ' * n",
    "unclosed scripts": "b'<script>x' * n",
    "unclosed svg": "b'<svg><g>x' * n",
    "unclosed select": "b'<select><option>x' * n",
    "attributes": "b'<p ' + b'a=1 ' * n + b'>text'",
    "a long attribute": "b'<p class=\"' + b'word ' * n + b'\">text'",
    "attributes without an end": "b'<p a=\"' * n",
    "entities": "b'&amp;&#65;&notin;&x' * n",
    "open brackets": "b'<' * n",
    "end tags": "b'<p>a' + b'</i>' * n",
    "one text": "b'word ' * n",
    "blanks": "b'<p>a' + b' ' * n + b'b'",
    "equal long lines": "b'<p>' + (b'A long line of a text, again and again, without an end. ' * 2 + b'<br>') * n",
    "numbered gutters": "b'<span class=lineno>' * n + b'1'",
    "schema.org types": 'b\'<script type=application/ld+json>{"@type": "Product"}</script>\' * n',
    "hidden elements": "b'<div style=\"display:none\">a<p>b</p>' * n",
    "formulas": "b'<math><mi>x</mi></math>' * n",
}
COUNTS = {"one text": 1_000_000, "blanks": 2_000_000, "open brackets": 500_000, "attributes": 500_000}
COUNT = 50_000

WORKER = """
import json, sys, time
from massivetext.extraction import extract
sources, scale = json.loads(sys.argv[1]), float(sys.argv[2])
extract(b"<p>text", engine="salient")
for name, (source, count) in sources.items():
    row = []
    for n in (int(count * scale), int(2 * count * scale)):
        page = eval(source)
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            try:
                extract(page, engine="salient")
            except Exception as error:
                name = f"{name} ({type(error).__name__})"
            best = min(best, time.process_time() - started)
            if best > 5:
                break
        row.append((len(page) / 1e6, best))
    print(json.dumps([name, row]), flush=True)
"""


def measure(folder: Path, scale: float) -> dict[str, list[tuple[float, float]]]:
    """Run one program; of each page (megabytes, seconds) at both sizes."""
    sources = {name: (source, COUNTS.get(name, COUNT)) for name, source in PAGES.items()}
    command = [sys.executable, "-c", WORKER, json.dumps(sources), str(scale)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    output = subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return {name.split(" (")[0]: row for name, row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--earlier", type=Path, help="a checkout of an earlier release")
    parser.add_argument("--scale", type=float, default=1.0, help="how large the pages are")
    arguments = parser.parse_args()
    folders = {"ours": REPOSITORY} | ({"earlier": arguments.earlier.resolve()} if arguments.earlier else {})
    results = {name: measure(folder, arguments.scale) for name, folder in folders.items()}
    print(f"{'':28s}    MB  " + "  ".join(f"{name + ', s/MB, twice as large':>34s}" for name in results))
    for page, (small, _) in results["ours"].items():
        columns = [
            f"{row[page][0][1] / row[page][0][0]:17.4f}{row[page][1][1] / row[page][1][0]:17.4f}"
            for row in results.values()
        ]
        print(f"{page:28s} {small[0]:5.1f}  " + "  ".join(columns))


if __name__ == "__main__":
    main()
