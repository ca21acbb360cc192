"""
``make bench-ingest``: how fast data come in; the last line is one JSON object.

``N`` datasets go through real HTTP in calls of 500, ``N_FILES`` small HDF5 files through
the path of ``manage.py register``. The folder ``PALIMPSEST_DATA`` is emptied first.
"""

import json
import logging
import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    folder = Path(os.environ["PALIMPSEST_DATA"]).absolute()
    if not folder.name.startswith("bench-"):
        sys.exit("The folder of a benchmark is emptied: call make bench-ingest, which has its own.")
    shutil.rmtree(folder, ignore_errors=True)
    _begin()
    from bench import bulk, registering  # noqa: PLC0415 - needs Django, set up

    datasets, files = (int(os.environ.get(name) or 0) for name in ("N", "N_FILES"))
    answer = bulk.measure(folder, datasets or 20_000)
    answer |= registering.measure(files or 10_000)
    answer["equal"] = all(answer.pop(name) for name in ("bulk_equal", "register_equal"))
    print(json.dumps(answer))


def _begin() -> None:
    from manage import prepare  # noqa: PLC0415 - reads the settings

    prepare()
    import django  # noqa: PLC0415 - the same
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    logging.disable(logging.INFO)  # a line for each call is not what is measured
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
