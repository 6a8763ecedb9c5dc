"""Which pass over the data a worker process is in, where a framework makes its workers anew for each pass.

torch's DataLoader forks or spawns its workers whenever it is iterated over, and tells them no number. They agree on one
through small files in a temporary folder: the first worker of a pass makes the file of the next free number.
"""

from __future__ import annotations

import json
import os
import uuid
import weakref

from massivetext.scratch import make_scratch, remove_scratch

__all__ = ["Passes"]


class Passes:
    """Numbers of passes, the same for all workers of a pass. It can be pickled, and works where it is forked."""

    def __init__(self) -> None:
        self._folder = make_scratch("passes")
        self._finalizer = weakref.finalize(self, _remove, self._folder, os.getpid())

    def __getstate__(self) -> dict[str, str]:
        return {"_folder": self._folder}

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def count(self) -> int:
        """Passes that have begun."""
        number = 0
        while os.path.exists(self._path(f"{number}.pass")):
            number += 1
        return number

    def begin(self, worker: int, key: str | None = None) -> int:
        """The number of the pass that a worker begins. key: what only the workers of this pass have in common; None for
        a pass of one worker. A worker that comes again with the same key is in the next pass."""
        os.makedirs(self._folder, exist_ok=True)
        key = uuid.uuid4().hex if key is None else key
        own = self._path(f"{uuid.uuid4().hex}.new")
        with open(own, "w", encoding="utf-8") as file:
            file.write(key)
        try:
            number = 0
            while True:
                path = self._path(f"{number}.pass")
                try:
                    os.link(own, path)  # whole at once, and only if it is not there
                except FileExistsError:
                    with open(path, encoding="utf-8") as file:
                        if file.read() != key:
                            number += 1
                            continue
                try:
                    os.close(os.open(self._path(f"{number}.{worker}"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                    return number
                except FileExistsError:
                    number += 1
        finally:
            os.remove(own)

    def set_epoch(self, epoch: int) -> None:
        """Have the next pass be `epoch`, and those behind it count on from there."""
        os.makedirs(self._folder, exist_ok=True)
        own = self._path(f"{uuid.uuid4().hex}.new")
        with open(own, "w", encoding="utf-8") as file:
            json.dump({"epoch": epoch, "pass": self.count()}, file)
        os.replace(own, self._path("epoch"))

    def epoch(self, number: int) -> int:
        """The epoch of a pass."""
        if not os.path.exists(self._path("epoch")):
            return number
        with open(self._path("epoch"), encoding="utf-8") as file:
            data = json.load(file)
        return int(data["epoch"]) + max(0, number - int(data["pass"]))


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:
        remove_scratch(folder)
