"""While a kernel is compiled, numba is spared work that it does again and again. The kernels are the same.

- For each `a + b` numba asks two dozen templates, most of which answer with an exception. Here it asks once for each
  function and types.
- numba's own functions (`np.empty`, sorting) are compiled as parts of the kernel, as its other functions are
  (`massivetext.linked_kernels`).
- Python's garbage collector looks through all objects of a compilation every few thousand new ones, of which hardly any
  is garbage.

Together that is a tenth of the CPU seconds of a first run, a fifth of those of short kernels (docs/performance.md).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numba.core import compiler_lock, targetconfig
from numba.core.types import functions
from numba.core.typing import templates

from massivetext.linked_kernels import as_part

__all__ = ["spared"]

# numba's types say less than it has.
_lock: Any = compiler_lock.global_compiler_lock
_Function: Any = functions.BaseFunction
_Overload: Any = templates._OverloadFunctionTemplate  # type: ignore[attr-defined]
_flags: Any = targetconfig.ConfigStack

_call_type: Callable[..., Any] = _Function.get_call_type
_jit_decorator: Callable[..., Any] = _Overload._get_jit_decorator
_GIVEN = ("nopython", "inline")
_GARBAGE = (50_000, 20, 100)
"""How many new objects before the collector looks at them, and how many such looks before it looks at older ones."""


@contextmanager
def spared() -> Iterator[None]:
    """Compile within this. Other threads that compile wait, as they do in numba itself."""
    with _lock:
        if _Function.get_call_type is not _call_type:
            yield  # it is a compilation within another
            return
        thresholds = gc.get_threshold()
        gc.set_threshold(*_GARBAGE)
        _Function.get_call_type, _Overload._get_jit_decorator = _remembering(), _decorator
        try:
            yield
        finally:
            _Function.get_call_type, _Overload._get_jit_decorator = _call_type, _jit_decorator
            gc.set_threshold(*thresholds)


_ANSWERS: dict[Any, dict[Any, tuple[Any, Any]]] = {}
"""By the options of a compilation, and by the function and types: the signature, and what implements it."""


def _remembering() -> Callable[..., Any]:
    """Return `BaseFunction.get_call_type` with a memory."""
    # Options are compared slowly, and each function that is compiled has an object of its own for them.
    of_objects: dict[int, tuple[Any, dict[Any, tuple[Any, Any]]]] = {}

    def get_call_type(self: Any, context: Any, args: Any, kws: Mapping[str, Any]) -> Any:
        options = _flags.top_or_none()
        if options is None:
            return _call_type(self, context, args, kws)
        if id(options) not in of_objects:
            of_objects[id(options)] = options, _ANSWERS.setdefault(options.copy(), {})
        answers = of_objects[id(options)][1]
        question = (self, args, tuple(kws.items()))
        if question in answers:
            signature, implementation = answers[question]
            self._impl_keys[signature.args] = implementation
            return signature
        signature = _call_type(self, context, args, kws)
        if signature is not None:
            answers[question] = signature, self._impl_keys[signature.args]
        return signature

    return get_call_type


def _decorator(template: Any) -> Callable[..., Any]:
    """What numba compiles its own functions with."""
    whole = _jit_decorator(template)

    def decorate(**options: Any) -> Callable[..., Any]:
        if options.get("inline", "never") != "never":
            return whole(**options)  # type: ignore[no-any-return]
        chosen = {
            key: value for key, value in options.items() if key not in ("nopython", "no_cpython_wrapper", "inline")
        }
        return lambda function: as_part(function, chosen)

    return decorate
