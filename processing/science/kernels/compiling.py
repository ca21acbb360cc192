"""
How kernels become machine code: with the first call, kept for all processes after it.

A kernel is a plain function of arrays and numbers that numba compiles. It holds no lock of
the interpreter, so threads run it side by side, and it never allocates: whoever calls it
hands it what it writes to. Its source stands as ``kernel.py_func``, which the tests fuzz.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be fused and the sign of zero is nobody's; NaN stays NaN, which marks bad pixels.
_FAST = {"contract", "nsz"}


def kernel(function: Function) -> Function:
    """
    Compile a function of arrays and numbers; kernels may call each other.

    The machine code lies in NUMBA_CACHE_DIR, by the source and the processor: a second
    process loads it within 0.1 s instead of compiling for seconds.
    """
    compile_it = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=_FAST)
    return cast("Function", compile_it(function))
