"""The page: data in, one HTML text out that needs nothing but itself.

Every value is escaped by the template engine; the only markup let through is that of our own charts. A policy in the
page forbids scripts and every request besides, so that even a fault in the escaping could run nothing.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from massivetext.report.samples import visible

__all__ = ["render"]


def render(page: dict[str, Any], template: str = "page.html") -> str:
    """Return the HTML of what `gather` returns, or `gather_comparison` for the template `against.html`."""
    files = resources.files("massivetext.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: files.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=_count,
        of=_of,
        size=_size,
        share=_share,
        change=_change,
        number=_number,
        seen=_seen,
        rule=_rule,
        yaml=_yaml,
        csv=_csv,
    )
    environment.globals["svg"] = Markup
    css = Markup(files.joinpath("page.css").read_text("utf-8"))
    return environment.get_template(template).render(**page, css=css)


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _of(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _size(value: float | None) -> str:
    """Bytes as 1.2 MB."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:,.1f} {unit}"


def _share(part: float | None, whole: float | None) -> str:
    """A part as a percentage of a whole. What is not all never reads 100 %, what is not none never 0 %."""
    if not whole or part is None:
        return "–"
    value = 100 * part / whole
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    return f"{value:.0f} %" if value in (0, 100) else f"{value:.1f} %"


def _change(first: float | None, second: float | None) -> str:
    """A number's change from one run to another as a percentage: `+1.2 %`, `new` or `gone`."""
    if not first or not second:
        return "new" if second else "gone" if first else "–"
    value = 100 * (second - first) / first
    if value == 0:
        return "–"
    return f"{value:+.1f} %" if abs(value) >= 0.05 else "< 0.1 %"


def _number(value: float | None) -> str:
    """A signal's value to four digits."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _seen(value: Any) -> str:
    """A name from outside (a URL, a file's name, a recipe's word) with hidden characters made visible, on one line."""
    text = visible(str(value)).replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= 300 else text[:299] + "…"


def _rule(name: str) -> Markup:
    """A rule's name, escaped, that may break after its dots and underlines."""
    return Markup(re.sub("([._])", r"\1<wbr>", str(escape(_seen(name)))))


def _csv(rows: Sequence[Mapping[str, Any]], name: str) -> Markup:
    """A link that saves rows as CSV. The data is in the link: nothing is asked for."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    data = base64.b64encode(stream.getvalue().encode("utf-8", "replace")).decode()
    return Markup('<a class="csv" download="{}.csv" href="data:text/csv;base64,{}">CSV</a>').format(name, data)


def _cell(value: Any) -> Any:
    """A value of a CSV file. A text that a spreadsheet would take for a formula is made a text by an apostrophe."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _yaml(value: Any) -> str:
    return visible(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
