"""What stands before a mixture's data card, so that Hugging Face's tools read the folder as a data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["front_matter"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front_matter(name: str, manifest: Mapping[str, Any]) -> str:
    """The YAML block, with its `---` lines, that README.md of a mixture begins with.

    `configs` and `data_files` name the shards, so that `load_dataset(folder)` does not take manifest.json for data, and
    a folder on the Hub has a viewer. Every value is a JSON string, which is YAML.

    Args:
        name: The mixture's.
        manifest: The mixture's, with counts.
    """
    n = int(manifest["counts"]["rows"])
    size = next((label for most, label in _SIZES if n < most), "1M<n<10M" if n < 10**7 else "n>10M")
    lines = [
        "---",
        f"pretty_name: {json.dumps(name)}",
        "task_categories:",
        "- text-generation",
        "size_categories:",
        f"- {json.dumps(size)}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        '    path: "shard-*.parquet"',
        "---",
        "",
    ]
    return "\n".join(lines)
