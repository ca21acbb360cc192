"""The trivial step for AiiDA, in a module: it finds no function of a script in its cache."""

from aiida import engine


@engine.calcfunction
def add(a, b):  # type: ignore[no-untyped-def]  # AiiDA reads the signature
    return a + b
