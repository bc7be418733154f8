"""Pictures, masks and maps in and out.

`decode` sees all that a file holds; `read` and `masks` say what it means, as a picture and as a mask or map.
"""

from sodkeras.pictures.cut_out import CutOut, read_background
from sodkeras.pictures.find import SUFFIXES, example_pictures, find_pictures, left_out, output_stems
from sodkeras.pictures.read import Photo, read_photo, read_picture
from sodkeras.pictures.write import encode_jpeg, encode_png, write_png

__all__ = [
    "SUFFIXES",
    "CutOut",
    "Photo",
    "encode_jpeg",
    "encode_png",
    "example_pictures",
    "find_pictures",
    "left_out",
    "output_stems",
    "read_background",
    "read_photo",
    "read_picture",
    "write_png",
]
