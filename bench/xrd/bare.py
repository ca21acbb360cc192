"""One map by our recipe as a plain function: ``python -m bench.xrd.bare SCAN PONI MASK OUT``."""

import sys
from pathlib import Path

from bench.xrd.scans import BINS, POLARIZATION
from processing.recipes.base import Workspace, working_in
from processing.recipes.xrd_map import xrd_map

CORES = 2


def main() -> None:
    scan, poni, mask, out, cache, splitting, rows, columns = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(exist_ok=True)
    with working_in(Workspace(folder, cores=CORES, cache=Path(cache))):
        xrd_map(
            scan.split(","),
            poni,
            mask,
            bins=BINS,
            shape=(int(rows), int(columns)),
            polarization=POLARIZATION,
            splitting=splitting,
        )


if __name__ == "__main__":
    main()
