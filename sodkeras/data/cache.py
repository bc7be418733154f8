"""Decoded samples that are kept: in memory, or in a file that is mapped into it.

What is kept has the picture's own size: a cache changes how fast batches come, never what is in them.
"""

import concurrent.futures
import hashlib
import os
import pathlib

import numpy as np
from tqdm import tqdm

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file

# Of the file's layout; another one is another file.
_VERSION = 1
# Pairs that are decoded before the first of them is written.
_AHEAD = 64


class InMemory:
    """Samples that stay in memory once they were asked for.

    Args:
        samples: see `sodkeras.data.samples.PairFiles`; this takes its place.
    """

    def __init__(self, samples):
        self.pairs = samples.pairs
        self._samples = samples
        self._kept = {}

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, index):
        # Two threads may read a pair at the same time: they read the same.
        if index not in self._kept:
            self._kept[index] = self._samples[index]
        return self._kept[index]


class OnDisk:
    """Samples in one file, for sets beyond memory: the system keeps in memory what fits.

    The file is named after the content of every picture and mask: other files, other cache. It is written before the
    first batch, whole or not at all, and takes 4 bytes a pixel.

    Args:
        samples: a `sodkeras.data.samples.PairFiles`; this takes its place.
        folder: where the file is or will be.
        progress: whether a bar is shown while it is written.

    Raises:
        SodkerasError: if a picture or a mask cannot be used, or the file cannot be written.
    """

    def __init__(self, samples, folder, progress=True):
        self.pairs = samples.pairs
        self.path = pathlib.Path(folder) / f"pairs-{_digest(samples.pairs)}.bin"
        if not self.path.exists():
            _write(samples, self.path, progress)
        try:
            self._bytes = np.memmap(self.path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise SodkerasError(f"Cannot read the cache ({error}). Received: {self.path}") from None
        # The sizes stand at the end: [pairs, (height, width)].
        self._sizes = self._bytes[-16 * len(self.pairs) :].view(np.int64).reshape(-1, 2)
        self._starts = np.concatenate([[0], 4 * np.cumsum(self._sizes.prod(axis=1))])
        if self._starts[-1] + 16 * len(self.pairs) != len(self._bytes):
            raise SodkerasError(f"The cache is damaged; remove it. Received: {self.path}")

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        height, width = self._sizes[index]
        content = np.asarray(self._bytes[self._starts[index] : self._starts[index + 1]])
        picture, mask = np.split(content, [3 * height * width])
        return picture.reshape(height, width, 3), mask.reshape(height, width)


def _digest(pairs):
    def of_pair(pair):
        return b"".join(hashlib.sha256(read_bytes(path)).digest() for path in (pair.picture, pair.mask))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
        digests = executor.map(of_pair, pairs)
        return hashlib.sha256(bytes([_VERSION]) + b"".join(digests)).hexdigest()[:16]


def _write(samples, path, progress):
    bar = tqdm(total=len(samples), desc="cache", unit="pair", disable=not progress)
    with whole_file(path) as temporary, temporary.open("wb") as file, bar:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as executor:
            sizes = []
            for start in range(0, len(samples), _AHEAD):
                some = range(start, min(start + _AHEAD, len(samples)))
                for picture, mask in executor.map(samples.__getitem__, some):
                    file.write(picture.tobytes())
                    file.write(mask.tobytes())
                    sizes.append(mask.shape)
                    bar.update()
        file.write(np.array(sizes, np.int64).tobytes())
