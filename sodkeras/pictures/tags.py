"""What a file says beside a picture's values, that a result made of it says again: profile, resolution, date."""

import math
import typing

from PIL import ExifTags, Image

_EXIF_KEPT = frozenset(["DateTime", "Artist", "Copyright"])
_EXIF_KEPT_INSIDE = frozenset(
    what + when for what in ("DateTime", "OffsetTime", "SubsecTime") for when in ("", "Original", "Digitized")
)


class Tags(typing.NamedTuple):
    """What a file says beside its values, that a result of it says again.

    Attributes:
        profile: an ICC profile of the RGB values, bytes; None for sRGB or unknown.
        resolution: horizontal and vertical, pixels an inch; None for unknown.
        exif: dates, artist and copyright as EXIF, bytes without a header; None for nothing. The place, the camera and
            the thumbnail are left out: a result may be shown where the photo would not be.
    """

    profile: bytes | None = None
    resolution: tuple[float, float] | None = None
    exif: bytes | None = None


NO_TAGS = Tags()


def tags_of(image: Image.Image) -> Tags:
    """The `Tags` of a PIL image."""
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "RGBa", "P") else None
    if profile is not None and not _is_rgb_profile(profile):
        profile = None
    return Tags(profile, _resolution(image), _kept_exif(image))


def _is_rgb_profile(profile):
    """Whether an ICC profile (its header, ICC.1:2022, 7.2) is whole and of RGB."""
    declared = int.from_bytes(profile[:4], "big")
    return len(profile) >= 128 and declared == len(profile) and profile[16:20] == b"RGB " and profile[36:40] == b"acsp"


def _resolution(image):
    if image.format == "TIFF" and not {282, 283} <= set(image.tag_v2):  # for which Pillow says 1
        return None
    try:
        across, down = map(float, image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if all(math.isfinite(value) and 0 < value < 1e6 for value in (across, down)) else None


def _kept_exif(image):
    given, kept = exif_of(image), Image.Exif()
    kept.update(_chosen(given, _EXIF_KEPT))
    try:
        inside = _chosen(given.get_ifd(ExifTags.IFD.Exif), _EXIF_KEPT_INSIDE)
    except Exception:  # as in `exif_of`
        inside = {}
    if inside:
        kept[ExifTags.IFD.Exif] = inside
    return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) else None


def _chosen(entries, names):
    return {tag: text for tag, text in entries.items() if isinstance(text, str) and ExifTags.TAGS.get(tag) in names}


def exif_of(image: Image.Image) -> Image.Exif:
    """A PIL image's EXIF, empty where it is damaged: a picture with damaged words beside it is a picture."""
    try:
        return image.getexif()
    except Exception:  # of many kinds
        return Image.Exif()
