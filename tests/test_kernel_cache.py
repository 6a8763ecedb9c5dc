"""What a kernel is known by on disk: its code, and that of all that is compiled into it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite import binding

from massivetext import kernel_cache
from massivetext.kernel_cache import code_digest
from massivetext.kernels import njit

LEAF = """
from massivetext.kernels import njit

STEP = 3

@njit()
def more(value):
    return value + STEP
"""
KERNEL = '''
import numpy as np
import leaf
from leaf import more
from massivetext.kernels import njit

@njit()
def total(values):
    """The sum of values that are made larger."""
    result = 0
    for value in np.sort(values):
        result += more(value)
    return result
'''
PROGRAM = """
import sys, numpy as np
from numba.core import event
class Compiled(event.Listener):
    names = []
    def on_start(self, one):
        self.names.append(one.data["dispatcher"].py_func.__name__)
    def on_end(self, one):
        pass
with event.install_listener("numba:compile", Compiled()):
    from kernel import total
    answer = total(np.arange(3))
print(answer, "compiled" if "total" in Compiled.names else "loaded")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "leaf.py").write_text(LEAF)
    (tmp_path / "kernel.py").write_text(KERNEL)
    return tmp_path


def run(folder: Path, program: str = PROGRAM) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.getcwd()])}
    environment |= {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def test_a_kernel_is_compiled_anew_if_code_or_a_constant_of_another_file_changed(
    folder: Path,
) -> None:
    assert "12 compiled" == run(folder)
    assert "12 loaded" == run(folder)

    leaf, kernel = folder / "leaf.py", folder / "kernel.py"
    kernel.write_text("# A comment.\n" + KERNEL.replace("The sum of values", "All values, added up,"))
    leaf.write_text(LEAF.replace("STEP = 3\n", "STEP = 3  # at least\n"))
    assert "12 loaded" == run(folder)

    leaf.write_text(LEAF.replace("STEP = 3", "STEP = 4"))
    assert "15 compiled" == run(folder)
    assert "15 loaded" == run(folder)

    leaf.write_text(LEAF.replace("value + STEP", "value * STEP"))
    assert "9 compiled" == run(folder)


@pytest.mark.parametrize("change", ["moved", "renamed"])
def test_a_kernel_on_disk_whose_types_have_moved_is_compiled_anew(change: str, folder: Path) -> None:
    """As after an update. The kernel's own code is the same."""
    (folder / "shapes.py").write_text("from typing import NamedTuple\nclass Shape(NamedTuple):\n    width: int\n")
    kernel = "from massivetext.kernels import njit\n@njit()\ndef total(shape):\n    return shape.width + 1\n"
    (folder / "kernel.py").write_text(kernel)
    program = PROGRAM.replace("np.arange(3)", "Shape(4)").replace(
        "from kernel", "from shapes import Shape; from kernel"
    )
    assert "5 compiled" == run(folder, program)
    assert "5 loaded" == run(folder, program)

    shapes = (folder / "shapes.py").read_text()
    (folder / "forms.py").write_text(shapes.replace("Shape", "Form"))
    (folder / "shapes.py").unlink()
    if change == "renamed":
        (folder / "forms.py").rename(folder / "shapes.py")
    module = "shapes" if change == "renamed" else "forms"
    program = program.replace("from shapes import Shape", f"from {module} import Form as Shape")

    assert "5 compiled" == run(folder, program)
    assert "5 loaded" == run(folder, program)


def test_a_kernel_that_is_loaded_needs_nothing_that_compiles(folder: Path) -> None:
    run(folder)

    run(folder, PROGRAM + "assert 'numba.np.arraymath' not in sys.modules")
    run(folder, PROGRAM + "from numba.core.runtime import rtsys; assert not rtsys._init")


def test_a_kernel_is_compiled_that_calls_one_that_is_loaded(folder: Path) -> None:
    run(folder)
    caller = """
from massivetext.kernels import njit
@njit(cache=False)
def twice(values):
    return np.full(2, total(values)).sum()
print(twice(np.arange(3)))
"""

    assert "12 loaded\n24" == run(folder, PROGRAM + caller)


def test_of_code_for_callers_the_names_alone_are_kept() -> None:
    code = """
@"a.value$" = constant i64 7
@"elsewhere" = external global i64
declare i64 @"other"(i64)
define i64 @"_ZN4more$1"(i64 %".1") { %".2" = call i64 @"other"(i64 %".1")
ret i64 %".2" }
"""
    names = binding.parse_bitcode(kernel_cache._names_alone(binding.parse_assembly(code).as_bitcode()))

    assert ["a.value$"] == [value.name for value in names.global_variables]
    (function,) = names.functions
    assert "_ZN4more$1" == function.name
    assert not function.is_declaration
    assert ["unreachable"] == [one.opcode for block in function.blocks for one in block.instructions]


def test_one_form_serves_arrays_that_may_be_written_to_and_others(tmp_path: Path) -> None:
    @njit()
    def first(values):
        return values[0]

    fixed = np.arange(3)
    fixed.setflags(write=False)
    assert 0 == first(fixed) == first(np.arange(3))
    again = njit()(first.py_func)

    assert 0 == again(np.arange(3))
    assert 1 == sum(again._cache_hits.values())


def test_files_of_other_code_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have written them since the index was read."""

    @njit()
    def one(values):
        return values[0] + 1

    assert 1 == one(np.arange(3))
    again = njit()(one.py_func)
    again.kept._impl.digest = "of other code"

    assert 1 == again(np.arange(3))
    assert not again._cache_hits


@njit()
def _inner(value):
    return value


def test_the_digest_is_of_code_options_and_constants() -> None:
    def outer(value):
        """Words."""
        return _inner(value) + 1

    def other(value):
        return _inner(value) + 2

    def same(value):
        """Other words."""
        return _inner(value) + 1

    assert code_digest(outer, {}) == code_digest(same, {}) != code_digest(other, {})
    assert code_digest(outer, {}) != code_digest(outer, {"nogil": True})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        ((1, 2), (2, 1)),
        (np.arange(3), np.arange(4)),
        (np.arange(3), np.arange(3, dtype=np.int32)),
        (np.uint8(1), np.int64(1)),
    ],
)
def test_constants_that_differ_differ_in_the_digest(one: object, other: object) -> None:
    assert kernel_cache._constant(one) != kernel_cache._constant(other)


def test_sets_are_told_in_an_order_of_their_own() -> None:
    assert kernel_cache._constant(frozenset("abc")) == kernel_cache._constant(frozenset("cba"))
