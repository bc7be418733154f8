"""Whether a JPEG file holds all of its picture: decoders fill what is missing with grey and say nothing.

The markers are those of ITU-T T.81, annex B.
"""

import re

START = b"\xff\xd8"
_END, _START_OF_SCAN, _PROGRESSIVE = 0xD9, 0xDA, 0xC2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# In a scan 0xFF is followed by 0 (a value), by a restart marker, or by what ends the scan.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64
# What a decoder fills with: the middle of its range, in every channel.
_FILLING = 128
# Enough for blocks to differ from the filling; without 0xFF, and right behind one, which the 0 makes a value.
_DATA = b"\0" + bytes(range(1, 250)) * 4
# The same behind each of the restart markers, one of which the decoder waits for if it waits for any.
_MORE_DATA = _DATA + b"".join(bytes([0xFF, marker]) + _DATA for marker in range(0xD0, 0xD8))


def has_all_scans(content):
    """Whether the end follows the scans, and each coefficient of each component was sent to its last bit."""
    components, sent, is_progressive = 0, {}, False
    for marker, segment, _ in _segments(content):
        if marker == _END:
            return 0 < components <= len(sent) and all(all(bits == 0 for bits in one) for one in sent.values())
        if marker in _FRAMES and len(segment) > 5:
            components, is_progressive = segment[5], marker == _PROGRESSIVE
        if marker == _START_OF_SCAN and segment:
            count = segment[0]
            first, last, bits = segment[-3:] if is_progressive else (0, _COEFFICIENTS - 1, 0)
            for component in segment[1 : 1 + 2 * count : 2]:
                one = sent.setdefault(component, [None] * _COEFFICIENTS)
                one[first : last + 1] = [bits & 15] * (min(last, _COEFFICIENTS - 1) + 1 - first)
    return False


def may_be_filled(image, content):
    """Whether a decoded PIL image ends in the grey that a JPEG decoder fills with."""
    if not content.startswith(START):
        return False
    last = image.getpixel((image.width - 1, image.height - 1))
    return set(last if isinstance(last, tuple) else (last,)) == {_FILLING}


def with_more_data(content):
    """The file with more data at the end of its last scan: of a whole picture, decoders pass over it."""
    position = max((end for marker, _, end in _segments(content) if marker == _START_OF_SCAN), default=len(content))
    return content[:position] + _MORE_DATA + content[position:]


def _segments(content):
    """Of the file's markers up to its end: (marker, segment without its length, where the next marker stands)."""
    position = len(START)
    while 0 <= (position := content.find(b"\xff", position)) < len(content) - 1:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _END:
            yield marker, b"", len(content)
            return
        start = position + 4
        position += 2 + int.from_bytes(content[position + 2 : start], "big")
        segment = content[start:position]
        if marker == _START_OF_SCAN:
            found = _AFTER_SCAN.search(content, position)
            position = found.start() if found else len(content)
        yield marker, segment, position
