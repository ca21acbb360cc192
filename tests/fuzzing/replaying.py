"""
Give the inputs that a fuzzer has found to the compiled decoder, between guarded pages.

``python -m tests.fuzzing.replaying FOLDER`` prints one JSON object.
"""

import json
import sys
from pathlib import Path

import numpy as np

from processing.science.kernels.lz4 import SLACK, decode_lz4
from tests.fuzzing.guarded import Arena
from tests.fuzzing.seeds import MOST, from_input
from tests.makers.lz4 import decode

_INPUT, _OUTPUT = Arena(2**16), Arena(MOST + SLACK)


def differs(given: bytes) -> bool:
    """Tell whether the compiled decoder does otherwise than the reference."""
    size, block = from_input(given)
    expected = decode(block, size)
    for side in ("first", "last"):
        source = getattr(_INPUT, side)(len(block))
        target = getattr(_OUTPUT, side)(size + SLACK)
        source[:] = np.frombuffer(block, np.uint8)
        is_valid = decode_lz4(source, 0, len(block), target, size)
        if is_valid != (expected is not None):
            return True
        if is_valid and target[:size].tobytes() != expected:
            return True
    return False


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).iterdir())
    different = [file.name for file in files if differs(file.read_bytes())]
    sys.stdout.write(json.dumps({"replayed": len(files), "different": different}) + "\n")
