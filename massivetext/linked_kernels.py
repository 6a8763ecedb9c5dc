"""Kernels as parts of other kernels: what a kernel calls is compiled into it, and not by itself.

numba makes of every function that a kernel calls a whole of its own first: optimised, with machine code, and with a
wrapper by which Python could call it. Then it links the function into the caller and optimises it once more. Only the
last of that is ever run, and the rest takes a third of the time of a first run.

So a kernel is compiled twice at most: as itself, if Python calls it, and as a part, if a kernel does. A part is an LLVM
module and no more. It is not kept on disk, where its callers are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import numba
from llvmlite import binding
from numba.core import dispatcher
from numba.core.registry import CPUDispatcher

from massivetext.kernel_calls import kernel_function
from massivetext.plain_compiler import PlainCompiler, PlainLibrary

__all__ = ["Part", "as_part", "set_environments"]

# numba's types say less than it has.
_Dispatcher: Any = CPUDispatcher
_binding: Any = binding
_dispatcher: Any = dispatcher
_numba: Any = numba


_OF_PART = attrgetter("entry_point", "fndesc", "library")


class _PartLibrary(PlainLibrary):
    """A module that is linked into others: they are optimised as a whole, and machine code is made of them alone."""

    def finalize(self) -> None:
        """Link what the part calls. It is verified in the kernels that it is linked into, each of which may have it."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == _binding.Linkage.external:
                function.linkage = "linkonce_odr"
        self._finalize_dynamic_globals()
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """Return the module, of which others take copies. numba takes one more of those that it runs themselves."""
        self._ensure_finalized()
        return self._final_module


class _PartCompiler(PlainCompiler):
    def make_library(self, codegen: Any) -> Any:
        return _PartLibrary(codegen, "part")


class _PartFunctionCompiler(_dispatcher._FunctionCompiler):  # type: ignore[misc]
    def _customize_flags(self, flags: Any) -> Any:
        flags.no_compile = True  # there is nothing to run
        return flags


class Part(_Dispatcher):
    """A function as other kernels call it, with a specialisation for each set of types."""

    def add_overload(self, result: Any) -> None:
        """What numba does with a specialisation that it has compiled: here callers find it, and Python does not."""
        result = result._replace(entry_point=object())  # it is known by this
        key, description, module = _OF_PART(result)
        write = kernel_function(description, [module])
        self.targetctx._defns[key].append(write, write.signature)  # as numba does for functions that are no kernels
        self.overloads[tuple(result.signature.args)] = result


def as_part(function: Callable[..., Any], options: Mapping[str, Any]) -> Part:
    """Return a function as a part of kernels that call it. options: those of `numba.njit`."""
    chosen = {**options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    part = _numba.njit(pipeline_class=_PartCompiler, **chosen)(function)
    whole = part._compiler
    part._compiler = _PartFunctionCompiler(
        whole.py_func, whole.targetdescr, whole.targetoptions, whole.locals, whole.pipeline_class
    )
    part.__class__ = Part
    return part  # type: ignore[no-any-return]


def set_environments(result: Any) -> None:
    """Give a kernel that has just been compiled the environments of its parts, as numba does for one from its cache.

    An environment holds the Python objects of a function, such as those of an exception.
    """
    for environment in result._find_referenced_environments():
        result.codegen.set_env(environment.env_name, environment)
