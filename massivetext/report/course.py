"""How a run went: seconds of its stages, what it read and could not read, its recipe and versions, its mixture.

Reads small JSON files; one that is not there, or is damaged, is None, and the page says `not measured`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.yaml_text import safe_load

__all__ = ["course", "mixtures", "read_json", "recipe_of"]

FAILURES = 50
"""Faults of sources that are listed; the rest are counted."""


def read_json(*path: str) -> Any:
    """The data of a JSON file, or None if there is none or it is not JSON."""
    name = storage.join(*path)
    if not storage.exists(name):
        return None
    try:
        return json.loads(storage.read_bytes(name))
    except ValueError:
        return None


def recipe_of(folder: str) -> dict[str, Any]:
    """DIR/recipe.yaml: digest, versions, canonical, recipe. Raises OutputError if it is not there or not that."""
    path = storage.join(folder, "recipe.yaml")
    if not storage.exists(path):
        raise OutputError(f"{folder}: holds no recipe.yaml; is it the --output of a run?")
    try:
        data = safe_load(storage.read_bytes(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OutputError(f"{path}: not YAML: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("recipe"), dict) or "subsets" not in data["recipe"]:
        raise OutputError(f"{path}: holds no recipe; the command `massivetext run` writes it")
    return data


def course(folder: str) -> dict[str, Any]:
    """runs: the last one's stages with their rates, and how many runs there were; read: what was counted while reading,
    by subset; failures: faults of sources, and how many more there are."""
    runs = read_json(folder, "work", "runs.json")
    last = _timed(runs[-1]) if isinstance(runs, list) and runs else None
    read = (read_json(folder, "curated", "manifest.json") or {}).get("counts") or {}
    faults: list[str] = []
    for path in storage.list_files(storage.join(folder, "work", "done", "curate")):
        if path.endswith(".json"):
            marker = read_json(path)
            faults += marker.get("failures", []) if isinstance(marker, dict) else []
    return {
        "run": last,
        "n_runs": len(runs) if isinstance(runs, list) else 0,
        "read": read,
        "failures": faults[:FAILURES],
        "more_failures": max(0, len(faults) - FAILURES),
    }


def _timed(run: dict[str, Any]) -> dict[str, Any]:
    """A run with `seconds` in all, and for each stage its `rate` a second in the unit that its weight has."""
    units = {
        "split": "bytes of input",
        "lines": "bytes of input",
        "curate": "bytes of input",
        "decontaminate": "records",
        "ledger": "records",
        "mix": "rows",
    }
    stages = []
    for stage in run["stages"]:
        seconds, done = stage["seconds"], stage["weight_done"]
        rate = done / seconds if seconds and done else None
        stages.append({**stage, "rate": rate, "unit": units.get(stage["stage"], "")})
    return {**run, "stages": stages, "seconds": sum(stage["seconds"] for stage in stages)}


def mixtures(folder: str) -> list[dict[str, Any]]:
    """Each finished mixture: name, shards, rows, tokens_by, and by subset its weight, the kept documents and tokens,
    the tokens wanted and written, and the epochs."""
    found = []
    root = storage.join(folder, "mixture")
    for path in storage.list_files(root):
        if not path.endswith("/plan.json"):
            continue
        base = path.removesuffix("/plan.json")
        plan, manifest = read_json(path), read_json(base, "manifest.json")
        if not isinstance(plan, dict) or not isinstance(manifest, dict):
            continue
        written = manifest["counts"]["tokens"]
        total = sum(written.values())
        written = {**plan.get("taken", {}), **written}
        subsets = [
            {
                **share,
                "written": written.get(share["subset"], 0),
                "share": written.get(share["subset"], 0) / total if total else 0.0,
                "epochs": share["wanted"] / share["available"] if share["available"] else None,
            }
            for share in plan["plan"]["shares"]
        ]
        found.append(
            {
                "name": base[len(root) + 1 :],
                "shards": len(manifest["files"]),
                "bytes": sum(file["bytes"] for file in manifest["files"].values()),
                "rows": manifest["counts"]["rows"],
                "tokens": total,
                "tokens_by": manifest.get("tokens_by", ""),
                "subsets": subsets,
            }
        )
    return found
