"""The web application: addresses, templates and the rules that keep the page local.

Every address begins with a random token; without it there is nothing but 404. Only requests for 127.0.0.1 or localhost
are answered, so that a name server of somebody else's cannot point a web page here. A policy forbids every request to
another place, and every script but our own file. Texts of documents are escaped by the templates.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from massivetext.browse import selection
from massivetext.browse.document import document_page
from massivetext.browse.marks import Options
from massivetext.browse.query import MODES, PAGE_ROWS, SIDES, Query, QueryError, parse, place
from massivetext.browse.sliders import languages, moved, settings, sliders
from massivetext.browse.store import Store
from massivetext.browse.text_search import Searches
from massivetext.errors import MassiveTextError
from massivetext.looking.recipe_view import RecipeView
from massivetext.looking.what_if import what_if
from massivetext.terminal_text import counted, visible, visible_name

__all__ = ["Run", "make_app", "make_token"]

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_FILES = {"style.css": "text/css", "page.js": "text/javascript"}


@dataclass(frozen=True)
class Run:
    """What the pages show.

    Attributes:
        store: The ledger and the texts.
        recipe: The recipe of the run.
        options: Returns how a row's document was measured.
        changed: Returns the run's recipe with `key=value` settings laid over it; raises RecipeError for wrong ones.
        other: The output folder of a run to compare with, if there is one.
        compared: Returns what `massivetext.looking.diff.diff` says of the two.
    """

    store: Store
    recipe: RecipeView
    options: Callable[[Mapping[str, Any]], Options]
    changed: Callable[[Sequence[str]], RecipeView]
    other: str | None = None
    compared: Callable[[], dict[str, Any]] | None = None


def make_token() -> str:
    """Return a random token for the address of a page, of 128 bits."""
    return secrets.token_urlsafe(16)


def make_app(run: Run, token: str) -> Starlette:
    """Return the web application of a run.

    Args:
        run: What it shows.
        token: The first part of every address.
    """
    pages = _Pages(run, f"/{token}/")
    routes = [
        Route("/{token}/", pages.listed),
        Route("/{token}/document/{id}", pages.document),
        Route("/{token}/what-if", pages.what_if),
        Route("/{token}/what-if.json", pages.moved),
        Route("/{token}/compare", pages.compare),
        Route("/{token}/save/{kind}", pages.save),
        Route("/{token}/{file}", pages.file),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False),
            Middleware(_Guard, token=token),
        ],
        exception_handlers={QueryError: pages.fault, MassiveTextError: pages.fault},
    )


class _Guard:
    """Answers 404 to every address without the token, and puts the headers on every answer."""

    def __init__(self, app: Any, token: str) -> None:
        self.app, self.token = app, token.encode()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        first = scope["path"].removeprefix("/").partition("/")[0].encode("utf-8", "surrogateescape")
        app = self.app if secrets.compare_digest(first, self.token) else PlainTextResponse("not found", 404)
        await app(scope, receive, send_with_headers)


class _Pages:
    """The pages. Starlette calls each in a thread of its own."""

    def __init__(self, run: Run, base: str) -> None:
        self.run, self.store, self.base = run, run.store, base
        self.searches = Searches(run.store)
        self._comparing = threading.Lock()
        self._comparison: dict[str, Any] | None = None
        self.templates = Environment(
            loader=PackageLoader("massivetext.browse", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters.update(seen=visible_name, plain=_plain, visible=visible, number=_number, counted=counted)

    def _render(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        page = self.templates.get_template(name).render(
            base=self.base, store=self.store, has_other=self.run.other is not None, **values
        )
        return HTMLResponse(page.encode("utf-8", "replace"), status)

    def _query(self, request: Request) -> Query:
        self.store.refresh()
        pairs = [(name, value) for name, value in request.query_params.multi_items() if not name.startswith("range.")]
        return parse([*pairs, *_ranges(request)], self.store.numeric, list(self.store.limits()))

    def fault(self, request: Request, error: Exception) -> Response:
        """Say what is wrong with a request, or with the folder."""
        is_query = isinstance(error, QueryError) or getattr(error, "exit_status", 1) == 2
        if request.url.path.endswith(".json"):
            return JSONResponse({"error": str(error)}, 400 if is_query else 500)
        return self._render("fault.html", 400 if is_query else 500, message=str(error))

    def listed(self, request: Request) -> Response:
        """The list of documents."""
        query = self._query(request)
        search = self.searches.get(query)
        hits = None if search is None else search.hits()
        totals = self.store.totals(query, hits)
        rows = self.store.page(query, hits)
        is_full = len(rows) == PAGE_ROWS
        previous = None
        if query.page == 1 or (query.page and not rows):
            previous = query.address(page=query.page - 1)
        elif query.page:
            previous = query.address(page=query.page - 1, before=place(query, rows[0]))
        return self._render(
            "list.html",
            query=query,
            rows=rows,
            totals=totals,
            n_documents=sum(row["documents"] for row in totals),
            search=search,
            facets=self.store.facets(),
            hosts=self.store.hosts(),
            limits=list(self.store.limits()),
            modes=MODES,
            sides=SIDES,
            next_page=query.address(page=query.page + 1, after=place(query, rows[-1])) if is_full else None,
            previous_page=previous,
        )

    def document(self, request: Request) -> Response:
        """One document."""
        self.store.refresh()
        asked = request.query_params
        page = document_page(
            self.store,
            request.path_params["id"],
            self.run.options,
            rules=asked.getlist("mark"),
            partner=asked.get("with"),
            whole="all" in asked,
            before="before" in asked,
        )
        if page is None:
            return self._render("fault.html", 404, message="the ledger has no document of this id")
        return self._render("document.html", **page)

    def what_if(self, request: Request) -> Response:
        """The sliders of a subset; with `exact`, the answer of `massivetext what-if`."""
        self.store.refresh()
        subsets = list(self.run.recipe.filled)
        subset = request.query_params.get("subset") or next(iter(subsets), "")
        language = request.query_params.get("language", "")
        limits = _limits(request)
        move = moved(self.store, subset, limits, language)
        changes = self._settings(subset, limits, language)
        exact = None
        if "exact" in request.query_params and changes:
            result = what_if(self.store.folder, self.run.recipe, self.run.changed(changes), examples=0)
            exact = result.as_data()
        return self._render(
            "what_if.html",
            subset=subset,
            subsets=subsets,
            language=language,
            languages=languages(self.store, subset),
            sliders=sliders(self.store, subset, language),
            limits=limits,
            move=move.as_data(),
            changes=changes,
            exact=exact,
        )

    def moved(self, request: Request) -> Response:
        """What the sliders' position changes, as JSON."""
        subset, limits = request.query_params.get("subset", ""), _limits(request)
        language = request.query_params.get("language", "")
        move = moved(self.store, subset, limits, language).as_data()
        for side in ("gained", "lost"):
            for example in move[side].get("examples", ()):
                example["address"] = visible_name(example["address"])
        return JSONResponse({**move, "changes": self._settings(subset, limits, language)})

    def _settings(self, subset: str, limits: Mapping[str, float], language: str) -> list[str]:
        own = {slider.key: slider.limit for slider in sliders(self.store, subset, language)}
        changed = {key: value for key, value in limits.items() if value != own.get(key)}
        return settings(self.store, subset, changed, language)

    def compare(self, request: Request) -> Response:
        """Two runs side by side."""
        if self.run.compared is None:
            return self._render("fault.html", 404, message="give a second run: massivetext browse DIR --compare DIR2")
        with self._comparing:  # once, however many ask
            if self._comparison is None:
                self._comparison = self.run.compared()
        return self._render("compare.html", other=self.run.other, result=self._comparison)

    def save(self, request: Request) -> Response:
        """A selection as a file to download."""
        query, kind = self._query(request), request.path_params["kind"]
        if kind == "recipe":
            return _download(selection.as_recipe(self.store, query), "selection.yaml", "application/yaml")
        if kind not in ("ids", "jsonl"):
            return self._render("fault.html", 404, message=f"{kind!r} cannot be saved; ids, jsonl and recipe can")
        search = self.searches.get(query)
        if search is not None and not search.is_complete:
            raise QueryError("the search of the texts has not come to its end; search on before saving what it finds")
        hits = None if search is None else search.hits()
        if kind == "ids":
            return _download(selection.as_ids(self.store, query, hits), "selection.txt", "text/plain")
        return _download(selection.as_jsonl(self.store, query, hits), "selection.jsonl", "application/jsonl")

    def file(self, request: Request) -> Response:
        """A file of the package: style and script."""
        name = request.path_params["file"]
        if name not in _FILES:
            return self._render("fault.html", 404, message="there is no such page")
        data = resources.files("massivetext.browse").joinpath("pages").joinpath(name).read_bytes()
        return Response(data, media_type=_FILES[name])


def _ranges(request: Request) -> list[tuple[str, str]]:
    """Return the ranges of the form's own rows: `range.0.name`, `range.0.min`, `range.0.max`."""
    asked = request.query_params
    pairs = []
    for name, column in asked.items():
        row, _, key = name.removeprefix("range.").partition(".")
        if name.startswith("range.") and key == "name" and column:
            pairs += [(f"{end}.{column}", asked.get(f"range.{row}.{end}", "")) for end in ("min", "max")]
    return pairs


def _limits(request: Request) -> dict[str, float]:
    """Return the positions of the sliders: names of the address with two dots, and numbers."""
    limits = {}
    for name, value in request.query_params.items():
        if name.endswith((".min", ".max")) and value:
            try:
                limits[name] = float(value)
            except ValueError:
                raise QueryError(f"{name}: {value!r}; expected a number") from None
            if not abs(limits[name]) < 1e300:
                raise QueryError(f"{name}: {value!r}; expected a number")
    return limits


def _download(content: Any, name: str, kind: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if isinstance(content, str):
        return Response(content, media_type=kind, headers=headers)
    return StreamingResponse((part.encode("utf-8", "replace") for part in content), media_type=kind, headers=headers)


def _number(value: Any) -> str:
    """Return a number as people read it, to four digits; a dash for none."""
    if value is None:
        return "\u2013"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else visible_name(value)


def _plain(value: float) -> str:
    """Return a number as a field of a form has it: 50, not 50.0."""
    return str(int(value)) if float(value).is_integer() else str(value)
