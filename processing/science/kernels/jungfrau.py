"""
Correct words of a JUNGFRAU: gain code in bits 15-14, value of the ADC in bits 13-0.

Every kernel implements, for a pixel with gain code g and value a,

    E = (a - P[g]) * s[g]        s[g] = 1 / G[g], NaN where the pixel is bad

so that no mask takes part in the arithmetic. Planes are numbered by code: 0 high, 1 medium,
3 low gain; plane 2 is the code that no detector writes, its scale is NaN, its bit 21. A value
is NaN wherever the mask is not 0. Indices are unsigned: numba would look for negative ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.science.kernels.compiling import kernel

Words = NDArray[np.uint16]
Planes = NDArray[np.float32]
Bits = NDArray[np.uint32]

_SWITCHED = np.uint64(0xC000_C000_C000_C000)
_VALUE = np.uint16(0x3FFF)
_SATURATED_HIGH = np.uint16(0x3FFF)  # the ADC's end, in high gain
_SATURATED_LOW = np.uint16(0xC000)  # in low gain values fall as charge grows
_OUT_OF_RANGE = np.uint32(1 << 12)
_NAN = np.float32(np.nan)
TILE = 32_768  # pixels whose constants stay in the cache while frames pass
PLACES = (2, TILE)  # shape of the scratch of a thread
_WORDS = np.uint64(4)  # in a quad of 64 bits


@kernel
def pack_codes(adc: Words, codes: NDArray[np.uint8], start: int, stop: int) -> None:
    """
    Put separate gain codes into the words, in place.

    word = a | code << 14; a code above 3 is as invalid as 2. A detector that has its codes
    in the words already writes no others, so that both layouts come out the same.

    Parameters
    ----------
    adc : ndarray of uint16 of shape (frames, pixels)
        Values of the ADC; becomes words.
    codes : ndarray of uint8 of shape (frames, pixels)
        0, 1 or 3.
    start, stop : int
        The pixels of this span.
    """
    for row in range(len(adc)):
        words, separate = adc[row, start:stop], codes[row, start:stop]
        for i in range(len(words)):
            code = separate[i] if separate[i] < 4 else np.uint8(2)
            words[i] |= np.uint16(np.uint16(code) << np.uint16(14))


@kernel
def correct_words(
    words: Words,
    quads: NDArray[np.uint64],
    rows: NDArray[np.int64],
    start: int,
    stop: int,
    offset: Planes,
    scale: Planes,
    bits: Bits,
    signal: Planes,
    gain: NDArray[np.uint8] | None,
    mask: Bits | None,
    places: NDArray[np.uint32],
) -> None:
    """
    Correct a span of the frames of one memory cell.

    First all pixels are taken as high gain, in vectors: their code is 0, so that the word is
    the value. Then the few words with a code are found, four at a time, and repaired.

    Parameters
    ----------
    words : ndarray of uint16 of shape (frames, pixels)
        A multiple of 4 pixels.
    quads : ndarray of uint64 of shape (frames, pixels / 4)
        The same memory.
    rows : ndarray of int64
        Frames of this memory cell.
    start, stop : int
        The pixels of this span, multiples of 4.
    offset, scale : ndarray of float32 of shape (4, pixels)
        P in ADU and s = 1 / G, by gain code.
    bits : ndarray of uint32 of shape (4, pixels)
        Why a pixel is bad, by gain code; 0 where it is good.
    signal : ndarray of float32 of shape (frames, pixels)
        Written, in the unit of 1 / G times ADU.
    gain : ndarray of uint8 of shape (frames, pixels), optional
        Written: 0, 1, 2 for high, medium, low gain, 255 for the invalid code.
    mask : ndarray of uint32 of shape (frames, pixels), optional
        Written with ``gain``, or neither: the bits of each pixel's stage, and bit 12 where
        it is saturated.
    places : ndarray of uint32 of shape PLACES
        Scratch.
    """
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        offsets, scales, flags = offset[:, first:last], scale[:, first:last], bits[:, first:last]
        for r in range(len(rows)):
            row = rows[r]
            # Rows of slices start at 0 and lie side by side, which vectors need to know.
            word, value = words[row, first:last], signal[row, first:last]
            quad = quads[row, first // 4 : last // 4]
            _correct_as_high(word, offset[0, first:last], scale[0, first:last], value)
            if gain is None or mask is None:
                _repair(word, quad, offsets, scales, flags, value, None, None, places)
            else:
                gain[row, first:last] = 0
                _mask_as_high(word, bits[0, first:last], mask[row, first:last])
                _repair(word, quad, offsets, scales, flags, value,
                        gain[row, first:last], mask[row, first:last], places)  # fmt: skip


@kernel
def correct_words_one_by_one(
    words: Words,
    rows: NDArray[np.int64],
    start: int,
    stop: int,
    offset: Planes,
    scale: Planes,
    bits: Bits,
    signal: Planes,
    gain: NDArray[np.uint8] | None,
    mask: Bits | None,
) -> None:
    """
    Do the same where pixels are no multiple of 4, or the words are not aligned.

    Parameters
    ----------
    words, rows, start, stop, offset, scale, bits, signal, gain, mask
        As for ``correct_words``.
    """
    for r in range(len(rows)):
        row = rows[r]
        for i in range(start, stop):
            if gain is None or mask is None:
                _correct_one(words[row], i, offset, scale, bits, signal[row], None, None)
            else:
                _correct_one(words[row], i, offset, scale, bits, signal[row], gain[row], mask[row])


@kernel
def _correct_as_high(words: Any, offset: Any, scale: Any, signal: Any) -> None:
    for i in range(np.uint64(len(words))):
        value = (np.float32(words[i]) - offset[i]) * scale[i]
        signal[i] = _NAN if words[i] == _SATURATED_HIGH else value


@kernel
def _mask_as_high(words: Any, bits: Any, mask: Any) -> None:
    for i in range(np.uint64(len(words))):
        mask[i] = bits[i] | (_OUT_OF_RANGE if words[i] == _SATURATED_HIGH else np.uint32(0))


@kernel
def _repair(
    words: Any, quads: Any, offset: Any, scale: Any, bits: Any, signal: Any, gain: Any, mask: Any,
    places: Any,
) -> None:  # fmt: skip
    """Find first, correct then: constants that are far away are fetched side by side."""
    found = _find_switched(words, quads, places[0], places[1])
    for k in range(found):
        i = np.uint64(places[1, k])
        _correct_one(words, i, offset, scale, bits, signal, gain, mask)


@kernel
def _find_switched(words: Any, quads: Any, candidates: Any, places: Any) -> Any:
    """Every place is written, and kept by counting it: no branch can be guessed wrong."""
    some, found = np.uint64(0), np.uint64(0)
    for quad in range(np.uint64(len(quads))):
        candidates[some] = quad
        some += np.uint64((quads[quad] & _SWITCHED) != 0)
    for k in range(some):
        first = np.uint64(candidates[k]) * _WORDS
        for i in range(first, first + _WORDS):
            places[found] = i
            found += np.uint64(words[i] > _VALUE)
    return found


@kernel
def _correct_one(
    words: Any, i: Any, offset: Any, scale: Any, bits: Any, signal: Any, gain: Any, mask: Any
) -> None:
    word = words[i]
    code = word >> np.uint16(14)
    saturated = (word == _SATURATED_HIGH) | (word == _SATURATED_LOW)
    value = (np.float32(word & _VALUE) - offset[code, i]) * scale[code, i]
    signal[i] = _NAN if saturated else value
    if gain is not None:
        gain[i] = 255 if code == 2 else (code + 1) >> 1
    if mask is not None:
        mask[i] = bits[code, i] | (_OUT_OF_RANGE if saturated else np.uint32(0))
