"""Text as it is searched: plain words on both sides."""

import re
import unicodedata


def fold(text: str) -> str:
    """
    Reduce text to lower-case words without accents.

    PostgreSQL's parser would keep ``panosc-file1.hdf`` as one word, so that ``file1``
    found nothing: whatever is no letter or digit becomes a space.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", plain.lower().replace("_", " ")))
