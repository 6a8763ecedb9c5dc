"""Compiled kernels on disk: each is known by its code and by the code of all that is compiled into it.

numba by itself knows a kernel by the time of the file that it stands in. So it would load a kernel as it was before
another file changed that has a function or a constant of it, and compile it anew after each change of a comment.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from llvmlite import binding
from numba import types
from numba.core import caching, environment
from numba.core.runtime import _nrt_python  # type: ignore[attr-defined]

from massivetext import portable_kernels
from massivetext.plain_code import VERSION

__all__ = ["KernelCache", "code_digest"]

# numba's types say less than it has.
_numba: Any = numba
_FunctionCache: Any = caching.FunctionCache
_Results: Any = caching.CompileResultCacheImpl
_IndexDataCacheFile: Any = caching.IndexDataCacheFile
_rebuild_environment: Any = environment._rebuild_env
_runtime: Any = _nrt_python
_llvm: Any = binding

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FOREIGN = ("numba", "numpy", "llvmlite")
"""Packages whose functions are known by the version of numba, which every index names."""


class _PlainEnvironment:
    """A function's environment as it is kept: with the objects that its compiled code uses, in this module's namespace.

    numba keeps the name of the function's own module, and imports it when the kernel is loaded: for `np.sort` that is
    half a second, SciPy included. Compiled code looks up no names.
    """

    def __init__(self, of_numba: Any) -> None:
        self._objects, self._name = of_numba.consts, of_numba.env_name

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_environment, (__name__, self._objects, self._name)


class _KernelResults(_Results):
    """What is kept of a compiled form.

    It begins with the digest of the code: a changed kernel takes the files of the old one, which another process may be
    about to load.
    """

    digest = ""

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        """Return the first part of the names of a kernel's files. numba's own has the number of a line."""
        name = fullname.replace("<", "").replace(">", "")
        return f"{name}.py{sys.version_info[0]}{sys.version_info[1]}{abiflags}"

    def reduce(self, data: Any) -> Any:
        (name, kind, code), *rest, environments = super().reduce(data)
        if kind == "object":
            machine_code, for_callers = code
            code = machine_code, _names_alone(for_callers)
        return (self.digest, (name, kind, code), *rest, tuple(map(_PlainEnvironment, environments)))

    def rebuild(self, target_context: Any, reduced_data: Any) -> Any:
        digest, *rest = reduced_data
        return super().rebuild(target_context, tuple(rest)) if digest == self.digest else None


def _names_alone(bitcode: bytes) -> bytes:
    """Return an LLVM module that defines what this one does, without code.

    numba keeps a kernel's code beside its machine code, for kernels that are compiled later and call it, and reads it
    when it loads the kernel. Here those have a part of their own (`massivetext.linked_kernels`), and only the names are
    read.
    """
    module = _llvm.parse_bitcode(bitcode)
    functions = [f'define void @"{one.name}"() {{ unreachable }}' for one in module.functions if not one.is_declaration]
    values = [f'@"{one.name}" = global i8 0' for one in module.global_variables if not one.is_declaration]
    return bytes(_llvm.parse_assembly("\n".join([*values, *functions])).as_bitcode())


@functools.cache
def _name_helpers() -> None:
    """Tell LLVM where numba's functions in C are, by which kernels get and free memory.

    numba also compiles functions that count references. A kernel from the cache has its own copies of those.
    """
    for name, address in _runtime.c_helpers.items():
        _llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _Index(_IndexDataCacheFile):
    """The list of a kernel's compiled forms, by their types.

    numba reads it before it looks for which code it was written. A list that an earlier version of the program wrote
    may name a type that has moved since, and so cannot be read: then there is none, and it is written anew.
    """

    def _load_index(self) -> dict[Any, Any]:
        try:
            return dict(super()._load_index())
        except (AttributeError, ImportError):
            return {}


class KernelCache(_FunctionCache):
    """The compiled forms of one kernel on disk: those that this machine compiled, and those that came with the package
    (`massivetext.portable_kernels`)."""

    _impl_class = _KernelResults

    is_for_others = False
    """Whether this process compiles kernels that go with the package."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        """Raises RuntimeError where numba has no place to write to."""
        super().__init__(function)
        self._impl.digest = code_digest(function, options)
        name = self._impl.filename_base
        self._shipped = self._file(str(portable_kernels.FOLDER), f"{function.__module__}.{name.partition('.')[2]}")
        self._cache_file = self._shipped if self.is_for_others else self._file(self._cache_path, name)

    def _file(self, folder: str, name: str) -> Any:
        return _Index(cache_path=folder, filename_base=name, source_stamp=self._impl.digest)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load a compiled form, if there is one.

        numba would first read all functions that a kernel may call, which takes .6 s. One that is loaded calls nothing
        any more, and where a kernel is compiled, numba reads them then.
        """
        _name_helpers()
        with self._guard_against_spurious_io_errors():
            for file, key in self._forms(target_context):
                kept = file.load(key) if key[0] == sig else None
                result = kept and self._impl.rebuild(target_context, kept)
                if result is not None:
                    return result
        return None

    def _forms(self, target_context: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
        """Yield the files and keys of the forms that run here, first those compiled for this very machine."""
        target = target_context.codegen()
        for key in self._cache_file._load_index():
            if key == self._index_key(key[0], target):
                yield self._cache_file, key
        for key in self._shipped._load_index():
            if _runs_here(key[1], target.magic_tuple()):
                yield self._shipped, key

    @property
    def is_shipped(self) -> bool:
        """Whether there is a form for other machines."""
        return bool(self._shipped._load_index())

    def signatures(self, target_context: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the types for which there is a compiled form for this machine."""
        for _, key in self._forms(target_context):
            yield key[0]

    def signature_for(self, kinds: Sequence[Any], target_context: Any) -> tuple[Any, ...] | None:
        """Return the types of a compiled form that takes arguments of these types; None if there is none.

        It may promise not to write to an array that may be written to.
        """
        for signature in self.signatures(target_context):
            if len(signature) == len(kinds) and all(map(_takes, signature, kinds)):
                return signature
        return None


def _runs_here(target: tuple[str, str, str], here: tuple[str, str, str]) -> bool:
    """Whether code for a target runs here. Both are numba's: LLVM's system, processor and list of features."""
    return target[0] == here[0] and portable_kernels.features_in(target[2]) <= portable_kernels.features_in(here[2])


def _takes(kept: Any, kind: Any) -> bool:
    if kept == kind:
        return True
    return isinstance(kind, types.Array) and kind.mutable and bool(kind.copy(readonly=True) == kept)


def code_digest(function: Callable[..., Any], options: dict[str, Any]) -> str:
    """Return the digest of a kernel's code, of all kernels that it calls, and of the constants that they use.

    Comments, docstrings and names of files do not count.
    """
    digest = hashlib.sha256(repr((VERSION, sorted(options.items()))).encode())
    seen: set[int] = set()

    def visit(function: Any) -> None:
        if id(function) in seen:
            return
        seen.add(id(function))
        names: dict[str, None] = {}
        for code in _codes(function.__code__):
            names |= dict.fromkeys(code.co_names)
            constants = [_constant(value) for value in code.co_consts if value != function.__doc__]
            shape = (code.co_argcount, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_names, constants)
            digest.update(repr(shape).encode() + code.co_code)
        for name in names:
            if name in function.__globals__:
                take(function.__globals__[name], names)

    def take(value: Any, names: dict[str, None]) -> None:
        if hasattr(value, "py_func"):
            digest.update(repr(sorted(getattr(value, "options", {}).items())).encode())
            visit(value.py_func)
        elif hasattr(value, "_defn"):  # an intrinsic
            visit(value._defn)
        elif isinstance(value, FunctionType) and value.__module__.partition(".")[0] not in _FOREIGN:
            visit(value)
        elif isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in _FOREIGN:
            for name in names:
                if name in vars(value):
                    take(vars(value)[name], {})
        else:
            digest.update(_constant(value).encode())

    visit(function)
    return digest.hexdigest()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _constant(value: Any) -> str:
    """A constant in words that are the same in every process; empty for what no kernel has as one."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, _PLAIN):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    return ""
