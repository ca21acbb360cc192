"""The sections of facility.toml that the catalogue owns, and how they become rows."""
