"""Mutants of a module: copies with one small fault each, which some test should notice.

A constant is one larger, a comparison is the next one, a condition is turned round, a sum is a difference. Kernels are
left as they are, and so are constants of files that have kernels: their compiled form is cached by file, and the tests
compare them with slow oracles. Messages, docstrings and annotations are no faults that a test should notice.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Mutant", "mutants_of"]

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_FUNCTIONS = {
    "less": "less_equal",
    "less_equal": "less",
    "greater": "greater_equal",
    "greater_equal": "greater",
    "minimum": "maximum",
    "maximum": "minimum",
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
}


@dataclass(frozen=True)
class Mutant:
    """A module with one fault. line: where it is. before, after: the expression, as Python writes it."""

    line: int
    before: str
    after: str
    source: str

    @property
    def words(self) -> str:
        return f"{self.line}: {self.before} -> {self.after}"


def mutants_of(source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    has_kernels = "njit" in source
    mutants = []
    for node in _nodes(tree, has_kernels=has_kernels):
        for changed in _changed(node):
            text = ast.unparse(ast.fix_missing_locations(_with(tree, node, changed)))
            mutants.append(Mutant(node.lineno, ast.unparse(node), ast.unparse(changed), text))
    return sorted(mutants, key=lambda mutant: (mutant.line, mutant.before, mutant.after))


def _nodes(tree: ast.Module, *, has_kernels: bool) -> Iterator[Any]:
    """Yield the expressions in which a fault would change what the module does."""
    waiting: list[ast.AST] = [
        node for node in tree.body if not has_kernels or isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert, ast.JoinedStr)):
            continue
        if isinstance(node, ast.FunctionDef) and any("njit" in ast.unparse(one) for one in node.decorator_list):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            continue
        if isinstance(node, ast.expr):
            yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            waiting += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)]


def _changed(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions with a fault that take the place of one."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int):
            yield ast.Constant(node.value + 1)
        elif isinstance(node.value, float):
            yield ast.Constant(node.value * 1.01 if node.value else 0.01)
        elif node.value in ("left", "right"):
            yield ast.Constant("right" if node.value == "left" else "left")
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        yield node.operand
    elif isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        if name in _FUNCTIONS:
            other = copy.copy(function)
            setattr(other, "attr" if isinstance(function, ast.Attribute) else "id", _FUNCTIONS[name])
            yield ast.Call(other, node.args, node.keywords)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else super().visit(node)


def _with(tree: ast.Module, old: ast.expr, new: ast.expr) -> ast.Module:
    """Return the module with one expression in place of another; the module itself stays as it is."""
    marker = "__mutated__"
    setattr(old, marker, True)
    copied = copy.deepcopy(tree)
    delattr(old, marker)
    place = next(node for node in ast.walk(copied) if hasattr(node, marker))
    return ast.fix_missing_locations(_Replace(place, ast.copy_location(copy.deepcopy(new), place)).visit(copied))
