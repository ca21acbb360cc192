"""Compiled kernels, which all tests share: compiling takes longer than most of them."""

import os
from pathlib import Path


def share_kernels(store: Path) -> None:
    """Let runs of a test find compiled kernels where all tests keep them."""
    shared = Path(os.environ["NUMBA_CACHE_DIR"]).parent  # noqa: TID251 - set for all tests
    shared.mkdir(exist_ok=True)
    (store / "cache").mkdir(exist_ok=True)
    if not (store / "cache" / "kernels").is_symlink():
        (store / "cache" / "kernels").symlink_to(shared)
