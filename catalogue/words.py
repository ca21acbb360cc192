"""Text as it is searched: plain words on both sides."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

LONGEST_WORD = 500  # characters: PostgreSQL takes 2046 bytes, and a query is cut here too
_MOST_BYTES = 250_000  # of a weight: four stay below the 1 MiB of a tsvector
_PER_WORD = 5  # bytes that a place of a word takes there beside its letters
_LAST_PLACE = 16_383  # PostgreSQL counts no further


def fold(text: str) -> str:
    """
    Reduce text to lower-case words without accents.

    PostgreSQL's parser would keep ``panosc-file1.hdf`` as one word, so that ``file1``
    found nothing: whatever is no letter or digit becomes a space.
    """
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", text.lower().replace("_", " ")))


def vector(texts: Mapping[str, Iterable[str]]) -> str:
    """
    Write texts as PostgreSQL reads a tsvector.

    Its own parser would take ``3e8a91bc`` for the number ``3e8`` and another word. A
    place is left empty before each text, so that no phrase reaches from one into the next.

    Parameters
    ----------
    texts : mapping of str to iterable of str
        Texts by weight, "A" to "D". Of each weight only the first 250 kB are kept, a word
        counting 5 bytes more than its letters: what comes later is not found.

    Returns
    -------
    str
        Words with their places. Nothing in them needs quoting: they are letters and digits.
    """
    places = defaultdict[str, list[str]](list)
    place = 0
    for weight, parts in texts.items():
        for word in _first_words(parts):
            place += 1
            if word:
                # The last place but one stays empty: all that share the last are no phrase.
                at = place if place < _LAST_PLACE - 1 else _LAST_PLACE
                places[word].append(f"{at}{weight}")
    return " ".join(f"'{word}':{','.join(found)}" for word, found in places.items())


def _first_words(texts: Iterable[str]) -> Iterator[str]:
    """Yield the words of texts that there is room for, and an empty one before each text."""
    room = _MOST_BYTES
    for text in texts:
        yield ""
        for whole in fold(text).split():
            word = whole[:LONGEST_WORD]
            room -= len(word.encode()) + _PER_WORD
            if room < 0:
                return
            yield word
