"""What LLVM is given to compile: for kernels half of what numba writes, which takes time for each instruction.

numba writes code for all that Python allows. Most of it LLVM removes again. Here it is not written:

- For an element of an array numba copies the array's whole description to memory and reads its parts back.
- It counts references for every variable, and reads an array's whole description for it. An argument, and an array of
  a tuple that is one, outlive the call.
- It reads a plain number before it overwrites it, and sets it to zero when it is not used any more.
- A loop over a range may go by any step, even by none. In kernels it goes by one, and its numbers are read where they
  are instead of out of structures.
- A search in a tuple of numbers is a function of its own. Here it is comparisons.
- Any index may count from the end. Kernels read from the end by constants alone, as in `stack[-1]`. Where bounds are
  checked (`NUMBA_BOUNDSCHECK=1`), any other negative index raises IndexError.
- An array is passed as seven words, with copies of its description on both sides, and a tuple that is returned is taken
  apart and put together. Here addresses are passed, and tuples are returned whole (`massivetext.kernel_calls`).
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

from llvmlite import ir as llvm
from numba.core import analysis, cgutils, ir, lowering, types

from massivetext import plain_calls
from massivetext.kernel_calls import KernelContext, address_of, is_own, is_passed_by_address, slot

__all__ = ["VERSION", "PlainLower"]

VERSION = 13
"""Goes up with each change of what is written, of how it is optimised, or of how kernels call each other: those on disk
are of one version."""

# numba's types say less than it has.
_types: Any = types
_ir: Any = ir
_llvm: Any = llvm
_cgutils: Any = cgutils
_Lower: Any = lowering.Lower
_must_use_alloca: Any = analysis.must_use_alloca

_MEMORY, _DATA, _SHAPE, _STRIDES = 0, 4, 5, 6
"""Where an array's description has its memory, address, shape and strides in bytes (`models.ArrayModel`)."""


@functools.cache
def _index(number: int) -> Any:
    """The number of a part as LLVM takes it."""
    return _llvm.Constant(_llvm.IntType(32), number)


_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_OPERATIONS = {
    operator.add: "add",
    operator.iadd: "add",
    operator.sub: "sub",
    operator.isub: "sub",
    operator.mul: "mul",
    operator.imul: "mul",
    operator.and_: "and_",
    operator.iand: "and_",
    operator.or_: "or_",
    operator.ior: "or_",
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}
"""What LLVM calls an operation on two integers of one type."""


def _flags(operation: str, kind: Any) -> list[str]:
    """As in numba, the sum of two signed numbers is taken not to overflow."""
    return ["nsw"] if kind.signed and operation in ("add", "sub", "mul") else []


def _is_plain(kind: Any) -> bool:
    return isinstance(kind, (_types.Number, _types.Boolean))


def _parts(kind: Any) -> Sequence[Any]:
    """The types of the numbers of an index."""
    return kind.types if isinstance(kind, _types.BaseTuple) else (kind,)


class PlainLower(_Lower):  # type: ignore[misc]
    """Writes the LLVM code of one function."""

    def init(self) -> None:
        assigned = Counter(line.target.name for block in self.blocks.values() for line in block.find_insts(_ir.Assign))
        self._once = {name for name, count in assigned.items() if count == 1}
        super().init()
        self._is_kernel = self.generator_info is None and is_own(self.func_ir.func_id.modname)
        if self._is_kernel:
            self.context.__class__ = KernelContext  # it is a copy for this function
        self._counts: dict[Any, bool] = {}
        self._arguments: dict[str, int] = {}
        self._borrowed: set[str] = set()
        self._loops: dict[str, Any] = {}
        if self.generator_info is None:
            self._find_borrowed()

    def _find_singly_assigned_variable(self) -> None:
        """Find the variables that are values alone: assigned once, and used only in that block after it.

        numba finds out again which block assigns and uses what, as it did to find where variables end.
        """
        lifetimes = getattr(self.func_ir, "variable_lifetime", None)
        if self.generator_info is not None or lifetimes is None:
            super()._find_singly_assigned_variable()
            return
        used = set().union(*lifetimes.usedefs.usemap.values())
        self._singly_assigned_vars = self._once - used - _must_use_alloca(self.blocks)
        self._blk_local_varmap: dict[str, Any] = {}

    def _find_borrowed(self) -> None:
        """Find the variables that need not be counted: arguments, and parts of tuples that are arguments."""
        statements = [line for _, block in sorted(self.blocks.items()) for line in block.find_insts(_ir.Assign)]
        for name, value in ((line.target.name, line.value) for line in statements if line.target.name in self._once):
            if isinstance(value, _ir.Arg):
                if self.typeof(name) == self.typeof("arg." + value.name):
                    self._borrowed.add(name)
                    self._arguments[name] = value.index
            elif isinstance(value, _ir.Var):
                if value.name in self._borrowed and self.typeof(name) == self.typeof(value.name):
                    self._borrowed.add(name)
            elif self._part(value) is not None and value.value.name in self._borrowed:
                self._borrowed.add(name)

    def _part(self, value: Any) -> int | None:
        """The number of the part that an expression takes of a tuple; None where it does anything else."""
        if not isinstance(value, _ir.Expr) or value.op not in ("getattr", "static_getitem"):
            return None
        kind = self.typeof(value.value.name)
        if not isinstance(kind, _types.BaseTuple):
            return None
        if value.op == "static_getitem":
            index = value.index
            return index if isinstance(index, int) and 0 <= index < len(kind) else None
        fields = kind.fields if isinstance(kind, _types.BaseNamedTuple) else ()
        return fields.index(value.attr) if value.attr in fields else None

    def _is_counted(self, kind: Any) -> bool:
        """Whether values of a type hold memory."""
        if kind not in self._counts:
            model = self.context.data_model_manager[kind]
            self._counts[kind] = self.context.enable_nrt and model.contains_nrt_meminfo()
        return self._counts[kind]

    def _holds_memory(self, name: str) -> bool:
        """Whether references are counted for a variable."""
        return name not in self._borrowed and self._is_counted(self.typeof(name))

    def incref(self, kind: Any, value: Any) -> None:
        if self._is_counted(kind):
            super().incref(kind, value)

    def decref(self, kind: Any, value: Any) -> None:
        if self._is_counted(kind):
            super().decref(kind, value)

    def extract_function_arguments(self) -> Any:
        arguments = super().extract_function_arguments()
        for name, index in self._arguments.items():
            address = getattr(arguments[index], "address", None)
            if address is not None:
                self.varmap[name] = address
                self._singly_assigned_vars.discard(name)
        return arguments

    def lower_inst(self, inst: Any) -> Any:
        if not isinstance(inst, _ir.Assign):
            return super().lower_inst(inst)
        name = inst.target.name
        if name not in self._arguments:
            value = self.lower_assign(self.typeof(name), inst)
            loop = self._loops.get(inst.value.name) if isinstance(inst.value, _ir.Var) else getattr(value, "loop", None)
            if loop is not None and name in self._once:
                self._loops[name] = loop
            self.storevar(value, name)
            return None
        argument = self.fnargs[inst.value.index]
        if getattr(argument, "address", None) is None:  # else the variable is where the argument is
            self.storevar(argument, name)
        return None

    def lower_assign(self, kind: Any, inst: Any) -> Any:
        if inst.target.name in self._borrowed:
            part = self._part(inst.value)
            return self.loadvar(inst.value.name) if part is None else self._load_part(inst.value.value.name, part)
        part = self._part(inst.value)
        if part is not None:
            tuple_kind = self.typeof(inst.value.value.name)
            value = self._load_part(inst.value.value.name, part)
            self.incref(tuple_kind.types[part], value)
            return self.context.cast(self.builder, value, tuple_kind.types[part], kind)
        return super().lower_assign(kind, inst)

    def _address(self, name: str) -> Any:
        """Where a variable is in memory; None for one that is a value alone."""
        value = self._blk_local_varmap.get(name)
        return self.getvar(name) if value is None else getattr(value, "address", None)

    def _load_part(self, name: str, *path: int) -> Any:
        """Read one part of a variable."""
        address = self._address(name)
        if address is None:
            return self.builder.extract_value(self._blk_local_varmap[name], path)
        place = self.builder.gep(address, [_index(0), *map(_index, path)], inbounds=True)
        value = self.builder.load(place)
        if name in self._borrowed:
            value.address = place  # it stays what it is
        return value

    def alloca(self, name: str, kind: Any) -> Any:
        """Memory for a variable, cleared unless it is one of numba's own, which are written before they are read."""
        of_value = self.context.get_value_type(kind)
        if name.startswith("$") and not self._is_counted(kind):
            return slot(self.builder, of_value)
        return _cgutils.alloca_once(self.builder, of_value)

    def loadvar(self, name: str) -> Any:
        value = self._blk_local_varmap.get(name)
        return self.builder.load(self.getvar(name)) if value is None else value

    def storevar(self, value: Any, name: str, argidx: int | None = None) -> None:
        kind = self.typeof(name)
        is_counted = self._holds_memory(name)
        if is_counted and (argidx is not None or not isinstance(kind, _types.Array)):
            super().storevar(value, name, argidx)
            return
        self._alloca_var(name, kind)
        if name in self._singly_assigned_vars:
            self._blk_local_varmap[name] = value
            return
        if is_counted:
            self._let_go(name, kind)
        self.builder.store(value, self.getvar(name))

    def _let_go(self, name: str, kind: Any) -> Any:
        """Count one reference less to the memory of the array in a variable; return where the variable has it.

        numba reads the whole description of the array for it.
        """
        place = self.builder.gep(self.getvar(name), [_index(0), _index(_MEMORY)], inbounds=True)
        self.context.nrt.decref(self.builder, _types.MemInfoPointer(kind.dtype), self.builder.load(place))
        return place

    def delvar(self, name: str) -> None:
        kind = self.typeof(name)
        is_counted = self._holds_memory(name)
        if is_counted and (name in self._blk_local_varmap or not isinstance(kind, _types.Array)):
            super().delvar(name)
            return
        if name not in self._blk_local_varmap:
            self._singly_assigned_vars.discard(name)
        self._alloca_var(name, kind)
        if is_counted:
            place = self._let_go(name, kind)
            self.builder.store(place.type.pointee(None), place)  # it may be deleted again

    def _cast_var(self, variable: Any, kind: Any) -> Any:
        """An argument of a call."""
        value = super()._cast_var(variable, kind)
        by_address = isinstance(kind, _types.Array) or is_passed_by_address(kind)
        if by_address and isinstance(variable, _ir.Var) and self.typeof(variable.name) == kind:
            if variable.name not in self._blk_local_varmap:
                value.address = self.getvar(variable.name)
            elif not isinstance(kind, _types.Array):
                value.address = address_of(self.builder, value)
        return value

    def lower_expr(self, kind: Any, expr: Any) -> Any:
        short = _SHORT.get(expr.op)
        value = None if short is None else short(self, kind, expr)
        return super().lower_expr(kind, expr) if value is None else value

    def _range(self, kind: Any, expr: Any) -> Any:
        """The start of a loop over a range: where it is, how far it goes, and how often."""
        numbers = getattr(self.loadvar(expr.value.name), "numbers", None)
        if numbers is None:
            return None
        first, last, step = numbers
        place, count = slot(self.builder, first.type), slot(self.builder, first.type)
        self.builder.store(first, place)
        is_empty = self.builder.icmp_signed("<=", last, first)
        self.builder.store(self.builder.select(is_empty, first.type(0), self.builder.sub(last, first)), count)
        value = self._struct(kind, place, last, step, count)
        value.loop = place, step, count
        return value

    def _next(self, kind: Any, expr: Any) -> Any:
        """The next number of a loop over a range, and whether there is one."""
        if not isinstance(self.typeof(expr.value.name), _types.RangeIteratorType):
            return None
        loop = self._loops.get(expr.value.name)
        if loop is None:
            value = self.loadvar(expr.value.name)
            loop = [self.builder.extract_value(value, i) for i in (0, 2, 3)]
        place, step, left = loop
        number, count = self.builder.load(place), self.builder.load(left)
        self.builder.store(self.builder.add(number, step), place)
        self.builder.store(self.builder.sub(count, count.type(1)), left)
        pair = number, self.builder.icmp_signed(">", count, count.type(0))
        value = self._struct(kind, *pair)
        value.pair = pair
        return value

    def _struct(self, kind: Any, *parts: Any) -> Any:
        value = self.context.get_value_type(kind)(_llvm.Undefined)
        for i, part in enumerate(parts):
            value = self.builder.insert_value(value, part, i)
        return value

    def _pair_first(self, kind: Any, expr: Any) -> Any:
        return None if self._is_counted(kind) else self._of_pair(expr, 0)

    def _pair_second(self, kind: Any, expr: Any) -> Any:
        return self._of_pair(expr, 1)

    def _of_pair(self, expr: Any, i: int) -> Any:
        value = self.loadvar(expr.value.name)
        pair = getattr(value, "pair", None)
        return self.builder.extract_value(value, i) if pair is None else pair[i]

    def _static_item(self, kind: Any, expr: Any) -> Any:
        if not isinstance(self.typeof(expr.value.name), _types.Array) or expr.index_var is None:
            return None
        return self.lower_getitem(kind, expr, expr.value, expr.index_var, self.fndesc.calltypes[expr])

    def _call(self, kind: Any, expr: Any) -> Any:
        """Calls of `range`, of `len` of an array, and those of `massivetext.plain_calls`."""
        function, signature = self.typeof(expr.func.name), self.fndesc.calltypes[expr]
        if expr.vararg or expr.kws:
            return None
        if isinstance(function, _types.Dispatcher):
            return self._call_kernel(kind, expr, function, signature)
        if not isinstance(function, _types.Function):
            return None
        key, kinds = function.typing_key, [self.typeof(argument.name) for argument in expr.args]
        if plain_calls.signature_of(function, kinds) == signature:
            values = [self._cast_var(*of_argument) for of_argument in zip(expr.args, signature.args, strict=True)]
            value = plain_calls.write(self.context, self.builder, function, signature, values)
            return self.context.cast(self.builder, value, signature.return_type, kind)
        if key is len and isinstance(kinds[0], _types.Array):
            return self.context.cast(self.builder, self._load_part(expr.args[0].name, _SHAPE, 0), _types.intp, kind)
        if key is range and isinstance(kind, _types.RangeType) and kind.dtype.signed and len(kinds) < 3:
            numbers = [self._cast_var(argument, kind.dtype) for argument in expr.args]
            first = [numbers[0].type(0)] if len(numbers) == 1 else []
            limits = *first, *numbers, numbers[0].type(1)
            value = self._struct(kind, *limits)
            value.numbers = limits
            return value
        return None

    def _call_kernel(self, kind: Any, expr: Any, function: Any, signature: Any) -> Any:
        """The call of another kernel, which gets all its arguments. numba also looks for those that it is not given."""
        if len(signature.args) != len(expr.args) or not is_own(function.dispatcher.py_func.__module__):
            return None
        values = [self._cast_var(*of_argument) for of_argument in zip(expr.args, signature.args, strict=True)]
        value = self.context.get_function(function, signature)(self.builder, values, self.loc)
        return self.context.cast(self.builder, value, signature.return_type, kind)

    def lower_binop(self, kind: Any, expr: Any, op: Any) -> Any:
        signature = self.fndesc.calltypes[expr]
        number = signature.args[0]
        if op is operator.contains and isinstance(number, _types.UniTuple):
            return self._is_one_of(kind, expr, number, signature)
        operation = _OPERATIONS.get(op)
        if operation is None or not isinstance(number, _types.Integer) or signature.args[1] != number:
            return super().lower_binop(kind, expr, op)
        one, other = self._cast_var(expr.lhs, number), self._cast_var(expr.rhs, number)
        result = signature.return_type
        if operation in _COMPARISONS:
            compare = self.builder.icmp_signed if number.signed else self.builder.icmp_unsigned
            value = compare(operation, one, other)
        else:
            one, other = (self.context.cast(self.builder, part, number, result) for part in (one, other))
            value = getattr(self.builder, operation)(one, other, flags=_flags(operation, result))
        return self.context.cast(self.builder, value, result, kind)

    def _is_one_of(self, kind: Any, expr: Any, group: Any, signature: Any) -> Any:
        """Whether a number is in a tuple of numbers. numba compiles a search for each type of tuple."""
        number = group.dtype
        if not isinstance(number, _types.Integer) or signature.args[1] != number or group.count == 0:
            return super().lower_binop(kind, expr, operator.contains)
        values, one = self._cast_var(expr.lhs, group), self._cast_var(expr.rhs, number)
        are_equal = [
            self.builder.icmp_unsigned("==", one, self.builder.extract_value(values, i)) for i in range(group.count)
        ]
        return self.context.cast(
            self.builder, functools.reduce(self.builder.or_, are_equal), signature.return_type, kind
        )

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        array = self.typeof(value.name)
        self._refuse_negative(array, index, signature.args[1])
        if signature.args[0] != array or not self._is_element(array, index, signature.args[1]):
            return super().lower_getitem(resty, expr, value, index, signature)
        from_end = not self._is_kernel  # numba's own functions may count so
        place = self._place(value.name, array, index, signature.args[1], from_end)
        item = self.context.unpack_value(self.builder, array.dtype, place)
        return self.context.cast(self.builder, item, array.dtype, resty)

    def lower_setitem(self, target_var: Any, index_var: Any, value_var: Any, signature: Any) -> Any:
        array = self.typeof(target_var.name)
        self._refuse_negative(array, index_var, signature.args[1])
        plain = _is_plain(self.typeof(value_var.name)) and _is_plain(signature.args[2])
        if not plain or signature.args[0] != array or not self._is_element(array, index_var, signature.args[1]):
            return super().lower_setitem(target_var, index_var, value_var, signature)
        value = self._cast_var(value_var, signature.args[2])
        value = self.context.cast(self.builder, value, signature.args[2], array.dtype)
        place = self._place(target_var.name, array, index_var, signature.args[1], from_end=True)
        self.context.pack_value(self.builder, array.dtype, value, place)
        return None

    def _is_element(self, array: Any, index: Any, kind: Any) -> bool:
        """Whether an index of this type means one number of an array: a line, or one that lies without gaps."""
        if self.context.enable_boundscheck or not isinstance(array, _types.Array):
            return False
        if not (array.layout == "C" or array.ndim == 1) or not array.aligned or not _is_plain(array.dtype):
            return False
        kinds, own_kinds = _parts(kind), _parts(self.typeof(index.name))
        return (
            len(kinds) == len(own_kinds) == array.ndim
            and all(isinstance(part, _types.Integer) for part in kinds)
            and all(isinstance(part, _types.Integer) for part in own_kinds)
        )

    def _refuse_negative(self, array: Any, index: Any, kind: Any) -> None:
        """Where bounds are checked, raise IndexError for an element of a negative index that is no constant."""
        if not (self.context.enable_boundscheck and self._is_kernel and isinstance(array, _types.Array)):
            return
        if len(_parts(kind)) != array.ndim or not all(isinstance(part, _types.Integer) for part in _parts(kind)):
            return
        for number, part, constant in self._numbers(index, kind):
            if part.signed and constant is None:
                with self.builder.if_then(self.builder.icmp_signed("<", number, number.type(0)), likely=False):
                    self.context.call_conv.return_user_exc(self.builder, IndexError, ("an index is negative",))

    def _numbers(self, index: Any, kind: Any) -> list[tuple[Any, Any, int | None]]:
        """(number, its type, its value if that is a constant) of each dimension of an index."""
        value = self._cast_var(index, kind)
        parts, own_parts = _parts(kind), _parts(self.typeof(index.name))
        is_tuple = isinstance(kind, _types.BaseTuple)
        numbers = [self.builder.extract_value(value, i) for i in range(len(parts))] if is_tuple else [value]
        constants = [part.literal_value if isinstance(part, _types.IntegerLiteral) else None for part in own_parts]
        return list(zip(numbers, parts, constants, strict=True))

    def _place(self, name: str, array: Any, index: Any, kind: Any, from_end: bool = False) -> Any:
        """The address of an element. A constant that is negative counts from the end, with from_end any index does."""
        offset = None
        for i, (number, part, constant) in enumerate(self._numbers(index, kind)):
            size = None
            if part.signed:
                number = self.context.cast(self.builder, number, part, _types.intp)
                if from_end if constant is None else constant < 0:
                    size = self._load_part(name, _SHAPE, i)
                    is_negative = self.builder.icmp_signed("<", number, number.type(0))
                    number = self.builder.select(is_negative, self.builder.add(number, size), number)
            else:
                number = self.context.cast(self.builder, number, part, _types.uintp)
            if offset is not None:
                offset = self.builder.mul(offset, self._load_part(name, _SHAPE, i) if size is None else size)
                number = self.builder.add(offset, number)
            offset = number
        first = self._load_part(name, _DATA)
        if array.layout == "C":
            return self.builder.gep(first, [offset])
        steps = self.builder.mul(offset, self._load_part(name, _STRIDES, 0))
        address = self.builder.gep(self.builder.bitcast(first, _llvm.IntType(8).as_pointer()), [steps])
        return self.builder.bitcast(address, first.type)


_SHORT = {
    "getiter": PlainLower._range,
    "iternext": PlainLower._next,
    "pair_first": PlainLower._pair_first,
    "pair_second": PlainLower._pair_second,
    "static_getitem": PlainLower._static_item,
    "call": PlainLower._call,
}
"""What writes an expression in fewer words, by its kind. Each returns None for what it leaves to numba."""
