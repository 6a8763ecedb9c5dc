"""Kernels compiled for other machines: they go with the package, in a wheel, in an image or to an engine's workers.

numba compiles for the processor at hand and keeps what it compiled for that one alone. So every new machine would
compile for half a minute what all others have compiled before it. Here kernels are compiled for a level of processors
instead, and a machine takes those whose instructions it has.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

__all__ = ["FOLDER", "compile_for_others", "features_in", "obstacle"]

FOLDER = Path(__file__).parent / "compiled"
"""Where they lie. Like `__pycache__`, it is not kept in version control."""

LEVEL = "x86-64-v3"
"""Processors with AVX2: Intel's since 2013 and AMD's since 2015, but for a few of the cheapest."""

_FEATURES = "avx avx2 bmi bmi2 cx16 f16c fma lzcnt movbe popcnt sahf sse3 sse4.1 sse4.2 ssse3 xsave"
"""What the level has beyond the first x86-64, in LLVM's words (x86-64 psABI, section 3.1.1)."""

_ENVIRONMENT = {
    "NUMBA_CPU_NAME": LEVEL,
    "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in _FEATURES.split()),
    "NUMBA_DISABLE_INTEL_SVML": "1",  # a library that other machines need not have
}


def features_in(words: str) -> frozenset[str]:
    """Return the features that LLVM's list has switched on, such as `+avx,-avx512f`."""
    return frozenset(word[1:] for word in words.split(",") if word.startswith("+"))


def obstacle() -> str | None:
    """Return why kernels for other machines cannot be made here; None if they can. Compiling them also runs them."""
    from llvmlite import binding

    here = binding.get_host_cpu_features() if platform.machine() == "x86_64" else {}
    if not all(here.get(name) for name in _FEATURES.split()):
        return (
            f"kernels for other machines are made for {LEVEL}, which this one ({platform.machine()}) is not: "
            "make them on a machine with AVX2"
        )
    if not os.access(FOLDER if FOLDER.exists() else FOLDER.parent, os.W_OK):
        return f"{FOLDER}: kernels for other machines lie here, and it cannot be written"
    return None


def compile_for_others() -> None:
    """From now on this process compiles for other machines, and keeps the kernels with the package."""
    if "numba" in sys.modules and os.environ.get("NUMBA_CPU_NAME") != LEVEL:
        raise RuntimeError("numba is imported already; it knows by then for which processor it compiles")
    FOLDER.mkdir(exist_ok=True)
    os.environ |= _ENVIRONMENT
    from massivetext.kernel_cache import KernelCache

    KernelCache.is_for_others = True
