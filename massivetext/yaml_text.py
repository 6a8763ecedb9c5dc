"""YAML that this program has written, read by libyaml where PyYAML was built with it: in a tenth of the time.

libyaml takes a little more for YAML than PyYAML does, such as a tab within a word. So what people write is read by
PyYAML alone: a recipe must be right or wrong wherever it is read.
"""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["FastLoader", "safe_load"]

FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def safe_load(text: str | bytes) -> Any:
    """Return what `yaml.safe_load` does, of text that `yaml.safe_dump` has written; raise its errors for other text."""
    try:
        return yaml.load(text, FastLoader)
    except Exception:  # PyYAML's own errors show the line
        return yaml.safe_load(text)
