"""The decorator of all kernels: each is compiled once, whoever calls it with what, and cached wherever it is installed.

numba by itself compiles a function again for every type that it meets. Two differences of type mean nothing here: a
constant against an integer (`f(data, 0, n)`), and an array that may be written against one that may not, where the
function only reads it. A kernel of this package takes both as one type. As a part of other kernels it also takes all
integers with a sign as one.
"""

from __future__ import annotations

import ast
import functools
import inspect
import logging
import os
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core.registry import CPUDispatcher

from massivetext.compiling import spared
from massivetext.kernel_cache import KernelCache
from massivetext.linked_kernels import Part, as_part, set_environments
from massivetext.plain_compiler import PlainCompiler

__all__ = ["Kernel", "njit"]

# numba's types say less than it has: private attributes, options that it reads from the environment.
_numba: Any = numba
_LOG = logging.getLogger("massivetext")
_WARNED = "MASSIVETEXT_KERNELS_WARNED"
_PURE = frozenset({"len", "min", "max", "range", "equal_mask", "range_mask"})


_Dispatcher: Any = CPUDispatcher


class Kernel(_Dispatcher):
    """A compiled function that has one specialisation for types that differ in nothing that matters.

    Those by which Python calls it are its own; those by which other kernels do are those of `part`.
    """

    options: dict[str, Any]
    is_kept: bool

    @functools.cached_property
    def kept(self) -> KernelCache | None:
        """Where its compiled forms are kept; None for nowhere.

        It is not found out when the kernel is made: that takes a tenth of a second for all, and parts have none.
        """
        return _find_place(self.py_func, self.options) if self.is_kept else None

    @property
    def is_on_disk(self) -> bool:
        """Whether it has a compiled form on disk, for this machine and for its code as it is now."""
        return self.kept is not None and any(self.kept.signatures(self.targetctx))

    @property
    def is_shipped(self) -> bool:
        """Whether it has a compiled form for other machines, for its code as it is now."""
        return self.kept is not None and self.kept.is_shipped

    def compile(self, sig: Any) -> Any:
        """What Python asks for types that this one is not compiled for, or not yet loaded from disk for."""
        if self.kept is not None:
            self._cache = self.kept
        with spared():
            return super().compile(sig)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """What numba asks when another kernel calls this one."""
        return self.part.get_call_template(args if kws else list(map(_widest, self._plain(args))), kws)

    def get_overload(self, sig: Any) -> Any:
        """What numba asks when it compiles the call of another kernel, of a signature that it has from the above."""
        return self.part.get_overload(sig)

    @property
    def is_compiling(self) -> Any:
        """What numba asks to tell a recursive call."""
        return self._compiling_counter or self.part._compiling_counter

    def add_overload(self, result: Any) -> None:
        """What numba does with a specialisation that it has compiled, or loaded."""
        super().add_overload(result)
        if result.referenced_envs is None:  # it is new
            set_environments(result)

    @functools.cached_property
    def part(self) -> Part:
        """The function as a part of the kernels that call it."""
        return as_part(self.py_func, self.options)

    def _compile_for_args(self, *args: Any, **kws: Any) -> Any:
        """What numba asks when Python calls this one with types that it has not seen."""
        kinds: list[Any] = [self.typeof_pyval(value) for value in args]
        plain = self._kept(kinds) or self._plain(kinds)
        if kws or plain == kinds:
            return super()._compile_for_args(*args, **kws)
        entry = self.compile(tuple(plain))
        # The next call with these types finds the same code at once.
        self._insert([kind._code for kind in kinds], entry, False)
        return entry

    def _kept(self, kinds: Sequence[Any]) -> list[Any] | None:
        """The types of a form on disk that these arguments can be given to. It saves reading the kernel's source."""
        signature = self.kept and self.kept.signature_for([types.unliteral(kind) for kind in kinds], self.targetctx)
        return list(signature) if signature else None

    def _plain(self, kinds: Sequence[Any]) -> list[Any]:
        """The types without what means nothing: constants as their type, arrays that are only read as read-only."""
        plain = [types.unliteral(kind) for kind in kinds]
        if any(isinstance(kind, types.Array) and kind.mutable for kind in plain):
            dimensions = read_dimensions(self.py_func)
            for i, kind in enumerate(plain[: len(dimensions)]):
                if isinstance(kind, types.Array) and kind.mutable and dimensions[i] in (0, kind.ndim):
                    plain[i] = kind.copy(readonly=True)
        return plain


def _widest(kind: Any) -> Any:
    """The type of an argument of a part: one for all integers with a sign."""
    return types.int64 if kind in types.signed_domain else kind


@functools.cache
def read_dimensions(function: Callable[..., Any]) -> tuple[int, ...]:
    """For each parameter of a kernel its number of indices, if all that it does with it is to read single elements.

    -1 for a parameter that it writes to, takes a part of, or hands to anything but a kernel that only reads it; so an
    array of as many dimensions is never changed through this parameter. 0 for one that is never indexed.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError, IndexError):
        return ()  # there is no source: its types are taken as they come
    if not isinstance(tree, ast.FunctionDef) or tree.name != function.__name__:
        return ()  # the file was changed since it was imported
    names = [argument.arg for argument in tree.args.args]
    dimensions = dict.fromkeys(names, 0)

    def note(name: str, count: int) -> None:
        known = dimensions[name]
        dimensions[name] = count if known in (0, count) else -1

    allowed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in dimensions:
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            single = isinstance(node.ctx, ast.Load) and not any(isinstance(part, ast.Slice) for part in parts)
            note(node.value.id, len(parts) if single else -1)
            allowed.add(id(node.value))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in ("shape", "size"):
            allowed.add(id(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            callee = function.__globals__.get(node.func.id)
            inner: tuple[int, ...] = ()
            if isinstance(callee, Kernel) and callee.py_func is not function:
                inner = read_dimensions(callee.py_func)
            for i, value in enumerate(node.args):
                if not isinstance(value, ast.Name) or value.id not in dimensions:
                    continue
                if node.func.id in _PURE:
                    allowed.add(id(value))
                elif i < len(inner) and inner[i] >= 0:
                    if inner[i]:
                        note(value.id, inner[i])
                    allowed.add(id(value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in dimensions and id(node) not in allowed:
            dimensions[node.id] = -1
    return tuple(dimensions[name] for name in names)


@functools.cache
def _own_folder() -> str | None:
    """A folder for compiled kernels where the package's own and the user's cannot be written; None if none can."""
    try:
        # Raises FileNotFoundError, an OSError, where not even a temporary folder can be written.
        folder = Path(tempfile.gettempdir()) / f"massivetext-kernels-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        # Another user's folder, or a link, could hold anybody's code.
        usable = not folder.is_symlink() and state.st_uid == os.getuid() and state.st_mode & 0o077 == 0
        usable = usable and os.access(folder, os.W_OK)
    except OSError:
        usable = False
    if usable:
        _warn(f"compiled kernels are kept in {folder}: the package's folder cannot be written")
        return str(folder)
    _warn("compiled kernels are not kept: no folder can be written; set NUMBA_CACHE_DIR to one")
    return None


def _warn(line: str) -> None:
    """Warn once, and not again in the processes that this one starts: they inherit its environment."""
    if _WARNED not in os.environ:
        os.environ[_WARNED] = "1"
        _LOG.warning("%s", line)


def _find_place(function: Callable[..., Any], options: dict[str, Any]) -> KernelCache | None:
    try:
        return KernelCache(function, options)
    except RuntimeError:  # numba has no place to write to
        folder = _own_folder()
    if folder is None:
        return None
    config = _numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, folder
    try:
        return KernelCache(function, options)
    finally:
        config.CACHE_DIR = before


def njit(*, cache: bool = True, nogil: bool = True, counts: bool = True) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` for kernels of this package: see `Kernel`. They cannot be used as C callbacks.

    With counts=False a kernel counts no references: for one that makes no array, not even a part of one, and reads many
    from named tuples, where numba would count each of them at each access.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        options = {"nogil": nogil, "no_cfunc_wrapper": True, "_nrt": counts}
        kernel = _numba.njit(pipeline_class=PlainCompiler, **options)(function)
        if not isinstance(kernel, CPUDispatcher):  # NUMBA_DISABLE_JIT
            return kernel
        kernel.__class__ = Kernel
        kernel.options, kernel.is_kept = options, cache  # type: ignore[attr-defined]
        return kernel

    return decorate
