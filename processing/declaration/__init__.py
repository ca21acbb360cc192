"""
The whole facility.toml: read it, say what would change, make the database agree.

``reading`` gives a declaration with its lines, ``planning`` what it would change and cost,
``applying`` makes it true as a new revision, ``rendering`` writes the database back.
"""

from processing.declaration.applying import apply
from processing.declaration.planning import Plan, plan
from processing.declaration.reading import Read, read_declaration, read_text
from processing.declaration.rendering import render

__all__ = ["Plan", "Read", "apply", "plan", "read_declaration", "read_text", "render"]
