"""Whose the process is that a command runs in."""

from __future__ import annotations

from massivetext.interruption import end_early_in

__all__ = ["WHOLE_PROCESS"]

WHOLE_PROCESS = "whole process"
"""What the root context of a command holds where the process is that command's and nobody else's."""

end_early_in("-c")  # a process that a command starts
