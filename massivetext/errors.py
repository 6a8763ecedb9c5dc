"""Every error that MassiveText raises on purpose.

    MassiveTextError
    ├── RecipeError          a recipe that cannot be run: key, value, what was expected
    ├── SourceError          an input file that cannot be read at all, or not to its end
    │   └── RecordError      one record of it, the rest is fine
    ├── OutputError          an output folder that does not fit: another recipe's, damaged, in use
    ├── LimitError           a document or a plan beyond a stated limit
    │   └── TimeLimitError   CPU time, the only limit that is not a function of the input
    └── DependencyError      a package that is not installed here: its name, and the command that installs it

Every message names the file, the record where there is one, the value found and the remedy.
"""

from __future__ import annotations

__all__ = [
    "DependencyError",
    "LimitError",
    "MassiveTextError",
    "OutputError",
    "RecipeError",
    "RecordError",
    "SourceError",
    "TimeLimitError",
]


class MassiveTextError(Exception):
    """Base of all errors raised on purpose. `exit_status` is what the command line returns for it."""

    exit_status = 1


class RecipeError(MassiveTextError):
    """A recipe that cannot be run. Raised before anything is written."""

    exit_status = 2


class SourceError(MassiveTextError):
    """An input file that cannot be read at all, or not to its end. What was read before stays valid."""


class RecordError(SourceError):
    """One record that cannot be read. `reason` is the ledger's word for it, after `failed.`."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class OutputError(MassiveTextError):
    """An output folder that does not fit the command: another recipe's, damaged, or in use."""


class LimitError(MassiveTextError):
    """A document or a plan beyond a stated limit."""


class TimeLimitError(LimitError):
    """A document that took more CPU time than the limit, or stood still for long."""


class DependencyError(MassiveTextError):
    """A package that is not installed here, because the base of MassiveText does not need it."""

    exit_status = 2
