"""Hosts that share evidence: the share of unsafe pages of each host, from a run's ledger alone."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.parquet import open_parquet

__all__ = ["host_of", "unsafe_hosts"]


def host_of(url: str) -> str:
    """The host of a URL in lower case without `www.`; empty where there is none. An IPv6 address is in brackets."""
    try:
        host = urlsplit(url if "://" in url else "//" + url).hostname or ""
    except ValueError:
        return ""
    if "[" in host or "]" in host:
        return ""
    if ":" not in host:
        return host.lower().removeprefix("www.").rstrip(".")
    try:  # of `a[::1]b@[x:y]` Python checks the first brackets, and takes what is in the last
        IPv6Address(host)
    except ValueError:
        return ""
    return f"[{host}]"


def unsafe_hosts(folder: str, *, limit: float = 0.5, least: int = 3, share: float = 0.5) -> list[dict[str, Any]]:
    """host, pages, unsafe (pages with a score above limit) and mean score of each host of the run in `folder` with at
    least so many measured pages and such a share of unsafe ones, by share, then name.

    Raises OutputError for a folder without a ledger that has scores.
    """
    pages: dict[str, list[float]] = {}
    files = [path for path in storage.find(storage.join(folder, "ledger")) if path.endswith(".parquet")]
    for path in files:
        with storage.open_input(path) as stream:
            file = open_parquet(stream)
            for batch in file.iter_batches(columns=["url", "safe_search_score"]):
                rows = batch.filter(pc.and_(batch.column(0).is_valid(), batch.column(1).is_valid()))
                for url, score in zip(rows.column(0).to_pylist(), rows.column(1).to_pylist()):
                    entry = pages.setdefault(host_of(url), [0, 0, 0.0])
                    entry[0] += 1
                    entry[1] += score > limit
                    entry[2] += score
    pages.pop("", None)
    if not pages:
        raise OutputError(f"{folder}: the ledger has no page with a URL and a safe_search_score; run the stage first")
    found = [
        {"host": host, "pages": int(n), "unsafe": int(unsafe), "mean": float(np.round(total / n, 4))}
        for host, (n, unsafe, total) in pages.items()
        if n >= least and unsafe / n >= share
    ]
    return sorted(found, key=lambda row: (-row["unsafe"] / row["pages"], row["host"]))
