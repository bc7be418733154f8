"""Decoded samples that are kept: in memory, or in a file that is mapped into it.

What is kept has the picture's own size: a cache changes how fast batches come, never what is in them.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import zlib
from typing import Any

import numpy as np

from sodkeras.data.samples import PairFiles
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, regular_file, whole_file
from sodkeras.progress import progress_bar

# Of the file's layout; another one is another file.
_VERSION = 2
# Pairs that are decoded before the first of them is written.
_AHEAD = 64


class InMemory:
    """Samples that stay in memory once they were asked for.

    Args:
        samples: see `sodkeras.data.samples.PairFiles`; this takes its place.
    """

    def __init__(self, samples: Any) -> None:
        self.pairs = samples.pairs
        self._samples = samples
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        # Two threads may read a pair at the same time: they read the same.
        if index not in self._kept:
            self._kept[index] = self._samples[index]
        return self._kept[index]


class OnDisk:
    """Samples in one file, for sets beyond memory: the system keeps in memory what fits.

    The file is named after the content of every picture and mask: other files, other cache. It is written before the
    first batch, whole or not at all, and takes 4 bytes a pixel.

    Each pair has a CRC-32, which is compared when the file is opened: for damage, not against forgery. That reads the
    whole file once, at 7 GB a second and core where it is in memory already, else at the disk's pace.

    Args:
        samples: a `sodkeras.data.samples.PairFiles`; this takes its place.
        folder: where the file is or will be.
        progress: whether a bar is shown while it is written.

    Raises:
        SodkerasError: if a picture or a mask cannot be used, or the file cannot be written, or is damaged or changed.
    """

    def __init__(self, samples: PairFiles, folder: str | os.PathLike, progress: bool = True) -> None:
        self.pairs = samples.pairs
        self.path = pathlib.Path(folder) / f"pairs-{_digest(samples.pairs)}.bin"
        if not self.path.exists():
            _write(samples, self.path, progress)
        regular_file(self.path)
        try:
            self._bytes = np.memmap(self.path, np.uint8, "r")
            self._sizes, self._starts = self._read_index()
        except (OSError, ValueError) as error:
            raise SodkerasError(f"The cache is damaged ({error}); remove it. Received: {self.path}") from None

    def _read_index(self):
        """Sizes `[pairs, 2]` of the pictures, and where each begins; ValueError for whatever does not fit."""
        # At the end stand (height, width, CRC-32) of each pair, and the CRC-32 of these rows.
        rows = len(self.pairs) * 3 * 8
        index = self._bytes[-rows - 8 :]
        if len(index) != rows + 8 or zlib.crc32(index[:rows]) != index[rows:].view(np.int64)[0]:
            raise ValueError("its index has another check sum")
        table = index[:rows].view(np.int64).reshape(-1, 3)
        sizes, sums = table[:, :2], table[:, 2]
        starts = np.concatenate([[0], 4 * np.cumsum(sizes.prod(axis=1))])
        if sizes.min() < 1 or sizes.max() > 2**20 or starts[-1] + len(index) != len(self._bytes):
            raise ValueError("its length is another")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
            found = executor.map(lambda start, end: zlib.crc32(self._bytes[start:end]), starts[:-1], starts[1:])
            for pair, known, other in zip(self.pairs, sums, found, strict=True):
                if known != other:
                    raise ValueError(f"{pair.picture.name} has another check sum")
        return sizes, starts

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = self._sizes[index]
        content = np.asarray(self._bytes[self._starts[index] : self._starts[index + 1]])
        picture, mask = np.split(content, [3 * height * width])
        return picture.reshape(height, width, 3), mask.reshape(height, width)


def _digest(pairs):
    def of_pair(pair):
        files = (hashlib.sha256(read_bytes(path)).digest() for path in (pair.picture, pair.mask))
        return b"".join(files) + f"{pair.mask_value} {pair.is_map}".encode()

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        digests = executor.map(of_pair, pairs)
        return hashlib.sha256(bytes([_VERSION]) + b"".join(digests)).hexdigest()[:16]


def _write(samples, path, progress):
    bar = progress_bar(None, "cache", total=len(samples), unit="pair", disable=not progress)
    with whole_file(path) as temporary, temporary.open("wb") as file, bar:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
            rows = []
            for start in range(0, len(samples), _AHEAD):
                some = range(start, min(start + _AHEAD, len(samples)))
                for picture, mask in executor.map(samples.__getitem__, some):
                    content = picture.tobytes() + mask.tobytes()
                    file.write(content)
                    rows.append((*mask.shape, zlib.crc32(content)))
                    bar.update()
        index = np.array(rows, np.int64).tobytes()
        file.write(index + np.int64(zlib.crc32(index)).tobytes())
