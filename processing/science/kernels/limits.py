"""Numbers that kernels and files share; here, since who writes files needs no compiler."""

LARGEST = 32_000  # steps; beyond it a quantised signal is clipped
NOTHING = -32_768  # what NaN becomes
