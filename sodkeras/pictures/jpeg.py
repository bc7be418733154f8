"""Whether a JPEG file holds all of its picture: decoders fill what is missing with grey and say nothing.

The markers are those of ITU-T T.81, annex B.
"""

import re

from PIL import Image

START = b"\xff\xd8"
_END, _START_OF_SCAN, _PROGRESSIVE = 0xD9, 0xDA, 0xC2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a segment, and a value of a scan.
_ALONE = frozenset([0x00, 0x01, *range(0xD0, 0xD8)])
# In a scan 0xFF is followed by 0 (a value), by a restart marker, or by what ends the scan.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_COEFFICIENTS = 64
# What a decoder fills with: the middle of its range, in every channel; 127 where CMYK is stored the other way round.
_FILLING = frozenset([127, 128])
# Enough for blocks to differ from the filling; without 0xFF, and right behind one, which the 0 makes a value.
_DATA = b"\0" + bytes(range(1, 250)) * 4
# The same behind each of the restart markers, one of which the decoder waits for if it waits for any.
_MORE_DATA = _DATA + b"".join(bytes([0xFF, marker]) + _DATA for marker in range(0xD0, 0xD8))


def has_all_scans(content: bytes) -> bool:
    """Whether the end follows the scans, and each coefficient of each component was sent to its last bit."""
    sent: dict[int, list[int | None]] = {}
    components, is_progressive = 0, False
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


def may_be_filled(image: Image.Image, content: bytes) -> bool:
    """Whether a decoded PIL image may end in the grey that a JPEG decoder fills with."""
    if not content.startswith(START):
        return False
    if _has_scans_by_component(content):
        return True
    last = image.getpixel((image.width - 1, image.height - 1))
    return _FILLING.issuperset(last if isinstance(last, tuple) else (last,))


def _has_scans_by_component(content):
    """Whether each component has a scan of its own that holds all of it: each may be cut, and the others whole."""
    markers = [marker for marker, *_ in _segments(content)]
    return _PROGRESSIVE not in markers and markers.count(_START_OF_SCAN) > 1


def with_more_data(content: bytes) -> bytes:
    """The file with more data at the end of each scan: of a whole picture, decoders pass over it."""
    ends = [end for marker, _, end in _segments(content) if marker == _START_OF_SCAN]
    if _PROGRESSIVE in (marker for marker, *_ in _segments(content)):
        ends = ends[-1:]
    parts = [content[start:end] for start, end in zip([0, *ends], [*ends, len(content)], strict=True)]
    return _MORE_DATA.join(parts)


def _segments(content):
    """Of the file's markers up to its end: (marker, segment without its length, where the next marker stands)."""
    position = len(START)
    while 0 <= (position := content.find(b"\xff", position)) < len(content) - 1:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _ALONE:
            position += 2
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
