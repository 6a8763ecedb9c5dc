"""JSON files that tell whether a byte of them has changed: manifests, plans, markers, lists.

A file's `seal` is the BLAKE2b-256 of its bytes with zeros in the seal's place. Files of earlier versions have none, and
are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from massivetext import storage
from massivetext.errors import MassiveTextError, OutputError

__all__ = ["SEAL", "read_sealed", "seal_fault", "sealed", "unsealed", "write_sealed"]

SEAL = "seal"
_BLANK = "0" * 64
_DIGEST = re.compile(r"[0-9a-f]{64}")


def sealed(data: Mapping[str, Any]) -> bytes:
    """Return a JSON object as the bytes of a file, keys sorted, with its seal. A seal that it has already is replaced.

    >>> unsealed(sealed({"rows": 3}))["rows"]
    3
    """
    text = json.dumps({**data, SEAL: _BLANK}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    blank = text.encode("utf-8", "surrogatepass")
    return blank.replace(_entry(_BLANK), _entry(_digest(blank)), 1)


def unsealed(content: bytes) -> dict[str, Any]:
    """Return the JSON object of a file, and see that its seal agrees with its bytes.

    Raises:
        ValueError: It is no JSON object, or a byte of it has changed.
    """
    data = json.loads(content)
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, found {type(data).__name__}")
    seal = data.get(SEAL)
    if seal is None:
        # A seal by a damaged name is still a digest.
        if any(isinstance(value, str) and _DIGEST.fullmatch(value) for value in data.values()):
            raise ValueError("its seal has lost its name")
        return data
    if not isinstance(seal, str) or _digest(content.replace(_entry(seal), _entry(_BLANK), 1)) != seal:
        raise ValueError("it is not as it was written: its seal does not agree")
    return data


def write_sealed(path: str, data: Mapping[str, Any]) -> None:
    """Write a JSON object as a file with its seal."""
    storage.write_bytes(path, sealed(data))


def read_sealed(path: str) -> dict[str, Any]:
    """Return the JSON object of a file. Raises OutputError, which names the file, if it is damaged or not there."""
    try:
        return unsealed(storage.read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path}: is damaged: {error}") from error


def seal_fault(path: str) -> str | None:
    """Return what is wrong with a sealed file that is there, or None."""
    try:
        read_sealed(path)
    except MassiveTextError as error:
        return str(error)
    return None


def _entry(digest: str) -> bytes:
    return f'"{SEAL}": "{digest}"'.encode()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
