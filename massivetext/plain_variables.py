"""Variables of a kernel that are assigned more than once stay one variable each.

numba makes a variable of each assignment, and one more wherever branches meet that assigned it, so a name may stand for
an integer in one place and for a float in another. LLVM does the same again by itself. In nearly all kernels a name has
one type. So types are found for the names first. If every assignment has exactly the type of its name, numba would have
found the same types. If not, the assignments are told apart as numba does it, and types are found again.
"""

from __future__ import annotations

from typing import Any

from numba.core import compiler_machinery, errors, ir, typed_passes, types, untyped_passes

__all__ = ["TYPED_BY_NAME"]

# numba's types say less than it has.
_machinery: Any = compiler_machinery
_errors: Any = errors
_ir: Any = ir
_types: Any = types
_Reconstruct: Any = untyped_passes.ReconstructSSA
_FindTypes: Any = typed_passes.NopythonTypeInference
_StripPhis: Any = typed_passes.PreLowerStripPhis


@_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _PlainTypes(_FindTypes):  # type: ignore[misc]
    _name = "massivetext_types"

    def run_pass(self, state: Any) -> bool:
        """Find the types of the names, and if a name has several, of each assignment."""
        state.has_versions = False
        try:
            super().run_pass(state)
        except _errors.TypingError:
            pass  # it may be one for names alone, and is raised again if it is not
        else:
            if _have_one_type(state):
                return True
        state.has_versions = True
        _Reconstruct().run_pass(state)
        return super().run_pass(state)  # type: ignore[no-any-return]


@_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _PlainStripPhis(_StripPhis):  # type: ignore[misc]
    _name = "massivetext_strip_phis"

    def run_pass(self, state: Any) -> bool:
        """Join the assignments of branches again, if they were taken apart."""
        return state.has_versions and super().run_pass(state)  # type: ignore[no-any-return]


def _have_one_type(state: Any) -> bool:
    """Whether all that is assigned to a name has the type of the name, for each name of a function."""
    values: dict[str, list[Any]] = {}
    for block in state.func_ir.blocks.values():
        for line in block.find_insts(_ir.Assign):
            values.setdefault(line.target.name, []).append(line.value)
    return all(
        _type_of(state, value) == _types.unliteral(state.typemap[name])
        for name, of_name in values.items()
        if len(of_name) > 1 and not name.startswith("$phi")  # of branches: where they meet it has one type anyway
        for value in of_name
    )


def _type_of(state: Any, value: Any) -> Any:
    """The type of what is assigned; None where it is not asked for."""
    if isinstance(value, _ir.Var):
        kind = state.typemap[value.name]
    elif isinstance(value, _ir.Arg):
        kind = state.typemap["arg." + value.name]
    elif isinstance(value, (_ir.Const, _ir.Global, _ir.FreeVar)):
        kind = state.typingctx.resolve_value_type(value.value)
    elif isinstance(value, _ir.Expr):
        signature = state.calltypes.get(value)
        if signature is None:
            return None
        kind = signature.return_type
    else:
        return None
    return _types.unliteral(kind)


TYPED_BY_NAME = {_FindTypes: _PlainTypes, _StripPhis: _PlainStripPhis}
"""Of which step of numba's compiler what is taken instead, for kernels."""
