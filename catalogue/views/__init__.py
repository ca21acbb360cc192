"""Pages of what exists: find it, look at it, take it home."""
