class BackupError(Exception):
    """A backup that cannot be made or restored; the text says what to do."""
