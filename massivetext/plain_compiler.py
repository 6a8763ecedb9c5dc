"""numba's compiler for kernels: the steps that kernels need, and code that is written in fewer words."""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from numba.core import codegen, compiler, compiler_machinery, errors, postproc, typed_passes
from numba.core.codegen import JITCodeLibrary

from massivetext.kernel_calls import is_own
from massivetext.plain_code import PlainLower
from massivetext.plain_variables import TYPED_BY_NAME

__all__ = ["PlainCompiler", "PlainLibrary"]

# numba's types say less than it has.
_Compiler: Any = compiler.Compiler
_NativeLowering: Any = typed_passes.NativeLowering
_Legalization: Any = typed_passes.IRLegalization
_postproc: Any = postproc
_machinery: Any = compiler_machinery
_errors: Any = errors
_binding: Any = binding
_codegen: Any = codegen
_Library: Any = JITCodeLibrary


@_machinery.register_pass(mutates_CFG=True, analysis_only=False)
class _PlainLowering(_NativeLowering):  # type: ignore[misc]
    _name = "massivetext_lowering"

    @property
    def lowering_class(self) -> Any:
        return PlainLower


@_machinery.register_pass(mutates_CFG=False, analysis_only=True)
class _PlainLegalization(_Legalization):  # type: ignore[misc]
    _name = "massivetext_legalization"

    def run_pass(self, state: Any) -> bool:
        """Note where variables end, unless no references are counted: then nothing is done there."""
        if state.flags.nrt:
            return super().run_pass(state)  # type: ignore[no-any-return]
        _postproc.PostProcessor(state.func_ir).run()
        return True


_INSTEAD = {_NativeLowering: _PlainLowering, _Legalization: _PlainLegalization}
_UNUSED = frozenset(
    {
        "WithLifting",
        "InlineClosureLikes",
        "RewriteSemanticConstants",
        "MakeFunctionToJitFunction",
        "InlineInlinables",
        "FindLiterallyCalls",
        "LiteralUnroll",
        "ReconstructSSA",
        "LiteralPropagationSubPipelinePass",
        "InlineOverloads",
        "NopythonRewrites",
        "NoPythonSupportedFeatureValidation",
        "DumpParforDiagnostics",
        "AnnotateTypes",
    }
)
"""Steps of numba's compiler that do nothing for kernels, which have no closures, lists or tuples to unroll."""


class _PassManager(_machinery.PassManager):  # type: ignore[misc]
    """Runs the steps of the compiler without telling each of them to those who time it."""

    def _runPass(self, index: int, step: Any, state: Any) -> None:  # noqa: N802 (numba's name)
        step.analysis = self._analysis
        with _errors.new_error_context("Pass {name}", name=step.name()):
            step.run_initialization(state)
            step.run_pass(state)
            step.run_finalizer(state)


class PlainLibrary(_Library):  # type: ignore[misc]
    """The LLVM code of a kernel, and what it is linked with."""

    def _optimize_functions(self, module: Any) -> None:
        """Simplify each function at LLVM's first level; a kernel is optimised at the third once it is whole.

        numba takes the third level twice. Without loops made simple here, kernels of pages are a tenth slower.
        """
        if not hasattr(_codegen, "create_pass_builder"):  # before numba 0.62
            super()._optimize_functions(module)
            return
        module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager(opt=1)
        for function in module.functions:
            if not function.is_declaration:
                passes.run(function, builder)

    def add_ir_module(self, module: Any) -> None:
        self._raise_if_finalized()
        is_wrapper = module.name == "wrapper"
        if is_wrapper:
            # What Python calls takes the arguments apart, and is not worth any pass over it.
            for function in module.functions:
                if not function.is_declaration:
                    function.attributes.add("noinline")
                    function.attributes.add("optnone")
        parsed = _binding.parse_assembly(str(module))
        parsed.name = module.name
        if not is_wrapper:
            self.add_llvm_module(parsed)
            return
        self._final_module.link_in(parsed)


_PIPELINES: dict[Any, list[_PassManager]] = {}
"""The steps of the compiler, by what they depend on. numba puts them together for each function."""


class PlainCompiler(_Compiler):  # type: ignore[misc]
    """numba's compiler, but for what it gives to LLVM."""

    def __init__(self, typing_context: Any, target_context: Any, library: Any, *rest: Any) -> None:
        if library is None:
            library = self.make_library(target_context.codegen())
        super().__init__(typing_context, target_context, library, *rest)

    def make_library(self, codegen: Any) -> Any:
        """Return where the code of the function goes."""
        library = PlainLibrary(codegen, "kernel")
        library.enable_object_caching()
        return library

    def define_pipelines(self) -> Any:
        flags, function = self.state.flags, self.state.func_id
        is_kernel = function is not None and is_own(function.modname)
        key = is_kernel, self.state.func_ir is None, flags.auto_parallel.enabled, flags.no_rewrites, flags.enable_ssa
        if key not in _PIPELINES:
            _PIPELINES[key] = self._pipelines(is_kernel)
        return _PIPELINES[key]

    def _pipelines(self, is_kernel: bool) -> list[_PassManager]:
        instead = {**_INSTEAD, **TYPED_BY_NAME} if is_kernel else _INSTEAD
        managers = []
        for numbas in super().define_pipelines():
            manager = _PassManager(numbas.pipeline_name)
            # Of steps that numba takes again, such as looking for branches that no argument takes, the first is enough.
            steps = dict(numbas.passes).items() if is_kernel else numbas.passes
            for step, words in steps:
                if not is_kernel or step.__name__ not in _UNUSED:
                    manager.add_pass(instead.get(step, step), words)
            manager.finalize()
            managers.append(manager)
        return managers
