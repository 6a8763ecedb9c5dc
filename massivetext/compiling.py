"""While a kernel is compiled, numba is spared work that it does again and again. The kernels are the same.

- For each `a + b` numba asks two dozen templates, most of which answer with an exception. Here it asks once for each
  function and types. A constant beside a number is a number.
- numba's own functions (`np.empty`, sorting) are compiled as parts of the kernel, as its other functions are
  (`massivetext.linked_kernels`).
- Whoever times numba is told of each call of LLVM, and messages are coloured that nobody reads.
- numba finds the types of a function in rounds, and asks in each of them for the types of all calls. Here it asks anew
  where the types of the arguments have changed.
- After each step numba finds which variables live where. The code of kernels needs that once, at the end.
- For the variables of a statement numba asks of each part whether it is of an abstract class, and of each function
  whether it has a `with`. llvmlite keeps the text of each instruction, which is written once.
- What numba finds out about types, and is known: `massivetext.plain_types`.
- LLVM unrolls loops, which makes kernels longer and no faster.
- Python's garbage collector looks through all objects of a compilation again and again, and hardly any is garbage. It
  waits until a kernel is compiled.

docs/performance.md has what it saves.
"""

from __future__ import annotations

import functools
import gc
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from llvmlite import binding
from llvmlite import ir as llvm
from numba.core import (
    base,
    codegen,
    compiler_lock,
    errors,
    event,
    interpreter,
    ir,
    lowering,
    postproc,
    targetconfig,
    transforms,
    typeinfer,
    types,
)
from numba.core.runtime import context
from numba.core.types import functions
from numba.core.typing import templates

from massivetext.kernel_calls import is_own
from massivetext.linked_kernels import as_part
from massivetext.plain_calls import signature_of
from massivetext.plain_types import CHEAPER

__all__ = ["spared"]

# numba's types say less than it has.
_lock: Any = compiler_lock.global_compiler_lock
_Function: Any = functions.BaseFunction
_Overload: Any = templates._OverloadFunctionTemplate  # type: ignore[attr-defined]
_flags: Any = targetconfig.ConfigStack
_base: Any = base
_binding: Any = binding
_llvm: Any = llvm
_codegen: Any = codegen
_errors: Any = errors
_event: Any = event
_Interpreter: Any = interpreter.Interpreter
_ir: Any = ir
_lowering: Any = lowering
_typeinfer: Any = typeinfer
_Runtime: Any = context.NRTContext
_postproc: Any = postproc
_transforms: Any = transforms
_types: Any = types

_call_type: Callable[..., Any] = _Function.get_call_type
_jit_decorator: Callable[..., Any] = _Overload._get_jit_decorator
_GIVEN = ("nopython", "inline")


@contextmanager
def spared() -> Iterator[None]:
    """Compile within this. Other threads that compile wait, as they do in numba itself."""
    with _lock:
        if _Function.get_call_type is not _call_type:
            yield  # it is a compilation within another
            return
        collects = gc.isenabled()
        gc.disable()
        replaced = [(place, name, getattr(place, name)) for place, name, _ in _CHEAPER]
        for place, name, value in _CHEAPER:
            setattr(place, name, value)
        _Function.get_call_type, _Overload._get_jit_decorator = _remembering(), _decorator
        try:
            yield
        finally:
            _Function.get_call_type, _Overload._get_jit_decorator = _call_type, _jit_decorator
            for place, name, value in replaced:
                setattr(place, name, value)
            if collects:
                gc.enable()


def _uncoloured(scheme: Any, message: str, *of_colour: Any) -> str:
    """numba colours messages, most of which are of attempts that nobody hears of."""
    return message


_LOCKS = ("numba:llvm_lock", "numba:compiler_lock")
_finish_numbas_step: Callable[..., None] = _postproc.PostProcessor.run
_start_event: Callable[..., None] = _event.start_event
_end_event: Callable[..., None] = _event.end_event


def _start(kind: str, *of_event: Any, **details: Any) -> None:
    """numba would tell whoever times it of each call of LLVM."""
    if kind not in _LOCKS:
        _start_event(kind, *of_event, **details)


def _end(kind: str, *of_event: Any, **details: Any) -> None:
    if kind not in _LOCKS:
        _end_event(kind, *of_event, **details)


def _finish_step(of_function: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
    """What is done after each step of the compiler. numba also finds the variables that live in each block.

    Those it needs for generators, and for code that runs in Python.
    """
    function = of_function.func_ir
    if function.is_generator:
        _finish_numbas_step(of_function, emit_dels, extend_lifetimes)
        return
    function.blocks = _transforms.canonicalize_cfg(function.blocks)
    function.variable_lifetime = _postproc.VariableLifetime(function.blocks)
    function.generator_info = None
    if emit_dels:
        of_function._insert_var_dels(extend_lifetimes=extend_lifetimes)


class _ErrorContext:
    """What is added to an error that is raised within. numba's own is a generator, which takes longer than the work."""

    def __init__(self, message: str, *args: Any, **kwargs: Any) -> None:
        self._parts = message, args, kwargs

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, *rest: Any) -> None:
        if isinstance(error, _errors.NumbaError):
            message, args, kwargs = self._parts
            error.add_context(message.format(*args, **kwargs) if args or kwargs else message)


_Call: Any = _typeinfer.CallConstraint
_resolve_call: Callable[..., None] = _Call.resolve


def _resolve_once(call: Any, inferer: Any, variables: Any, fnty: Any) -> None:
    """Find the type of a call, unless it is known for these types."""
    names = [*call.args, *(variable for _, variable in call.kws), *([call.vararg] if call.vararg else [])]
    question = (fnty, *(variables[name.name].type for name in names))
    if question == getattr(call, "question", None):
        return
    is_plain = is_own(inferer.func_id.modname) and not call.kws and not call.vararg
    signature = signature_of(fnty, question[1:]) if is_plain else None
    if signature:
        inferer.add_type(call.target, signature.return_type, loc=call.loc)
        call.signature, call.question = signature, question
        return
    _resolve_call(call, inferer, variables, fnty)
    signature = call.signature
    # What a recursive call returns may become known later.
    if signature and signature.return_type.is_precise() and not isinstance(fnty, _types.RecursiveCall):
        call.question = question


def _passes(machine: Any, opt: int = 2, loop_vectorize: bool = False, slp_vectorize: bool = False) -> Any:
    """What LLVM optimises with: numba's, but for unrolled loops, which make kernels a third longer and no faster."""
    options = _binding.create_pipeline_tuning_options()
    options.speed_level, options.loop_unrolling = opt, False
    options.loop_vectorization, options.slp_vectorization = loop_vectorize, slp_vectorize
    return _binding.create_pass_builder(machine, options)


_HOLDS_MEMORY: dict[Any, bool] = {}


def _memory_of(of_runtime: Any, builder: Any, kind: Any, value: Any) -> list[tuple[Any, Any]]:
    """The parts of a value for which references are counted. numba takes out all others as well."""
    models = of_runtime._context.data_model_manager
    model = models[kind]
    memory = [(kind, model.get_nrt_meminfo(builder, value))] if model.has_nrt_meminfo() else []
    for part, take in model.traverse(builder):
        if part not in _HOLDS_MEMORY:
            _HOLDS_MEMORY[part] = models[part].contains_nrt_meminfo()
        if _HOLDS_MEMORY[part]:
            memory += of_runtime.get_meminfos(builder, part, take(value))
    return memory


_UNUSED = frozenset({"peep_hole_delete_with_exit", "peep_hole_fuse_dict_add_updates"})
"""What numba looks for in the code of a function that kernels do not have: `with`, and dictionaries that grow."""

_look_for: Callable[..., Any] = _Interpreter.post_process


def _look_for_less(interpreter: Any, peepholes: Any, function: Any) -> Any:
    if is_own(function.func_id.modname):
        peepholes = [look for look in peepholes if look.__name__ not in _UNUSED]
    return _look_for(interpreter, peepholes, function)


@functools.cache
def _base_of(kind: Any) -> Any:
    """What a part of a statement is, by its type: a variable, a statement, a dict, a sequence; None for all else."""
    return next((base for base in (_ir.Var, _ir.Inst, dict, list, tuple) if issubclass(kind, base)), None)


def _variables_in(line: Any, value: Any) -> list[Any]:
    """The variables in a part of a statement. numba asks for each part whether it is of an abstract class."""
    kind: Any = type(value)
    base = _base_of(kind)
    if base is None:
        return []
    if base is _ir.Var:
        return [value]
    if base is _ir.Inst:
        return value.list_vars()  # type: ignore[no-any-return]
    variables = []
    for part in value.values() if base is dict else value:
        variables += _variables_in(line, part)
    return variables


_NUMBERS = itertools.count()


def _make_instruction(
    made: Any, block: Any, kind: Any, opname: str, operands: Any, name: str = "", flags: Sequence[str] = ()
) -> None:
    """Give an instruction its parts. llvmlite looks for a name that is free; here it gets a number of its own."""
    made.parent, made.type, made._name = block, kind, f"-{next(_NUMBERS)}"  # names of blocks and arguments differ
    made.opname, made.operands, made.flags, made.metadata = opname, operands, list(flags), {}


def _reference(instruction: Any) -> str:
    """How others name the result of an instruction."""
    return f'%"{instruction._name}"'


def _written(instruction: Any) -> str:
    """An instruction as LLVM reads it. llvmlite keeps this text, which is asked for once."""
    parts = [] if isinstance(instruction.type, _llvm.VoidType) else [instruction.get_reference(), " = "]
    instruction.descr(parts)
    return "".join(parts).rstrip()


_CHEAPER: tuple[tuple[Any, str, Any], ...] = (
    (_ir.Inst, "_rec_list_vars", _variables_in),
    (_llvm.Instruction, "__init__", _make_instruction),
    (_llvm.Instruction, "get_reference", _reference),
    (_llvm.Instruction, "__str__", _written),
    *CHEAPER,
    (_Interpreter, "post_process", _look_for_less),
    *((_errors.HighlightColorScheme, "_markup", _uncoloured) for _ in range(hasattr(_errors, "HighlightColorScheme"))),
    *((place, "new_error_context", _ErrorContext) for place in (_errors, _lowering, _typeinfer)),
    (_errors.WarningsFixer, "catch_warnings", lambda *of_warnings, **place: nullcontext()),
    *((_codegen, name, _passes) for name in ("create_pass_builder",) if hasattr(_codegen, name)),  # since numba 0.62
    (_base, "_has_loc", functools.cache(_base._has_loc)),
    (_Call, "resolve", _resolve_once),
    (_postproc.PostProcessor, "run", _finish_step),
    (_Runtime, "get_meminfos", _memory_of),
    (_event, "start_event", _start),
    (_event, "end_event", _end),
    (_event, "install_timer", lambda *of_timer: nullcontext()),
)
"""Of which module what is replaced by what while a kernel is compiled."""

_ANSWERS: dict[Any, dict[Any, tuple[Any, Any]]] = {}
"""By the options of a compilation, and by the function and types: the signature, and what implements it."""

_OF_NUMBERS = frozenset(
    value for name, value in vars(operator).items() if name not in ("getitem", "contains") and callable(value)
)
"""Operators. Between two numbers it does not matter whether one of them is a constant."""


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
        if self.typing_key in _OF_NUMBERS and not all(isinstance(kind, _types.Literal) for kind in args):
            plain = tuple(_types.unliteral(kind) for kind in args)
            args = plain if all(isinstance(kind, (_types.Number, _types.Boolean)) for kind in plain) else args
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
