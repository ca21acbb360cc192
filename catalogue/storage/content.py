"""Files under their own sha256: nothing is ever overwritten, equal bytes are kept once."""

import os
import tempfile
from pathlib import Path

from catalogue.storage.local import hash_file, sync_folder


def content_key(sha256: str) -> str:
    """Return the key of content in a store, two levels deep to keep folders small."""
    return f"store/{sha256[:2]}/{sha256}"


def adopt(root: Path, file: Path, sha256: str) -> str:
    """
    Move a finished file into the content store, and return its key.

    Parameters
    ----------
    root : Path
        Folder of the store; ``file`` lies on the same file system.
    file : Path
        Complete and already hashed; it is gone from its place afterwards.
    sha256 : str
        Of its bytes.

    Returns
    -------
    str
        The key. Adopting the same content twice is harmless.
    """
    key = content_key(sha256)
    target = root / key
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
    file.chmod(0o444)
    file.replace(target)
    sync_folder(target.parent)
    return key


def keep_bytes(root: Path, content: bytes, sha256: str) -> str:
    """Write small content, such as a thumbnail, into the content store."""
    target = root / content_key(sha256)
    if target.is_file() and hash_file(target) == sha256:
        os.utime(target)  # as new: whoever clears old leftovers must not take it now
    else:
        staging = root / "staging"
        staging.mkdir(exist_ok=True)  # not its parents: an unmounted disk stays away
        with tempfile.TemporaryDirectory(dir=staging) as folder:
            part = Path(folder, sha256)
            part.write_bytes(content)
            adopt(root, part, sha256)
    return content_key(sha256)
