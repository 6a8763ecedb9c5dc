"""DIR/recipe.yaml as a file: the recipe that a run was made by, with a seal that tells whether a byte has changed.

Its last line is a comment, `# blake2b DIGEST`, over all bytes before it. Files of earlier versions have none; of these
`digest`, which is over `canonical`, is compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from massivetext.yaml_text import safe_load

__all__ = ["canonical_digest", "read_recipe_file", "recipe_file"]

_MARK = b"# blake2b "


def recipe_file(data: Mapping[str, Any]) -> bytes:
    """Return what a run's recipe.yaml is made of (digest, versions, canonical, recipe) as the bytes of the file."""
    text = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True).encode()
    return text + _MARK + _blake2b(text, 32).encode() + b"\n"


def read_recipe_file(content: bytes) -> dict[str, Any]:
    """Return the data of a run's recipe.yaml.

    Raises:
        ValueError: It is no YAML mapping with a digest, or it is not as it was written.
    """
    text, mark, seal = content.rpartition(_MARK)
    is_sealed = bool(mark) or b"\n#" in content or b"# blake2b" in content
    if is_sealed and (not mark or seal != _blake2b(text, 32).encode() + b"\n"):
        raise ValueError("it is not as it was written: the digest in its last line does not agree")
    try:
        data = safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no YAML: {error}") from error
    if not isinstance(data, dict) or "digest" not in data:
        raise ValueError("it has no digest")
    if data["digest"] != canonical_digest(data.get("canonical")):
        raise ValueError("its digest is not that of the recipe in it")
    return data


def canonical_digest(canonical: Any) -> str:
    """Return the digest of a recipe in canonical form: BLAKE2b-128 (hex) of it as JSON with sorted keys."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return _blake2b(text.encode("utf-8", "surrogatepass"), 16)


def _blake2b(data: bytes, size: int) -> str:
    return hashlib.blake2b(data, digest_size=size).hexdigest()
