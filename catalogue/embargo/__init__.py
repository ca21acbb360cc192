"""
When data open, who may change that, and what follows from it.

``dates`` counts and carries them; ``rulings`` and ``retraction`` change them; ``wishes``
and ``decisions`` ask for it; ``upkeep`` is what the steward process does.
"""
