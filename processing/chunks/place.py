"""For which run a chunk is computed, and what must be the same there as where the run is."""

from processing.ticket import Document


class Place(Document):
    """
    What a process for chunks has to be like.

    ``run`` names the attempt: a process serves no other. ``manifest`` and ``environment``
    are digests of the recipe ``entry``. ``cores`` are those of the run: numerical libraries
    sum in another order with other numbers of threads. ``interpreter`` is empty for the Dask
    worker's own. ``cache`` is where compiled kernels are kept, empty for nowhere.
    """

    run: str
    entry: str
    manifest: str
    environment: str
    clock: str
    seed: int
    cores: int
    memory_bytes: int
    interpreter: str = ""
    cache: str = ""
