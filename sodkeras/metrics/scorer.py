"""Scores map files against mask files, on all cores, and what a model finds against mask files."""

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from sodkeras.metrics.evaluator import Evaluator
from sodkeras.metrics.scored_map import ScoredMap
from sodkeras.pictures import write_png
from sodkeras.pictures.masks import read_map, read_mask
from sodkeras.pictures.read import PICTURE_ERRORS
from sodkeras.processes import spawned_pool

if TYPE_CHECKING:
    from sodkeras.predictor import Predictor

# Few enough that the progress is seen and the last process does not work alone, enough that messages cost nothing.
_CHUNK = 16


def score(saliency_map: np.ndarray, mask: np.ndarray, evaluator: Evaluator, resize: bool = False) -> None:
    """Adds a pair to an evaluator; with `resize`, a map of another size is first brought to the mask's, bilinear."""
    if resize and saliency_map.shape != mask.shape:
        saliency_map = cv2.resize(saliency_map, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    evaluator.update(saliency_map, mask)


def score_files(
    pairs: Sequence[tuple[pathlib.Path, pathlib.Path]],
    settings: dict[str, Any],
    resize: bool = False,
    read: Callable[[pathlib.Path], np.ndarray] = read_mask,
) -> tuple[Evaluator, list[tuple[pathlib.Path, str]]]:
    """Scores map files against mask files in this process.

    Args:
        pairs: a list of (map path, mask path).
        settings: arguments of `Evaluator`.
        resize: see `score`.
        read: reads a mask by its path.

    Returns:
        The `Evaluator`, and a list of (map path, message) for pairs that could not be scored.
    """
    evaluator = Evaluator(**settings)
    failures = []
    for map_path, mask_path in pairs:
        try:
            score(read_map(map_path), read(mask_path), evaluator, resize)
        except PICTURE_ERRORS as error:
            failures.append((map_path, str(error)))
    return evaluator, failures


def score_model(
    predictor: "Predictor",
    pairs: Sequence[tuple[pathlib.Path, pathlib.Path]],
    settings: dict[str, Any],
    progress: Callable[[int], Any] = lambda count: None,
    keep: pathlib.Path | None = None,
    read: Callable[[pathlib.Path], np.ndarray] = read_mask,
) -> tuple[Evaluator, list[tuple[pathlib.Path, str]]]:
    """Scores what a model finds in 8 bit at the pictures' own size, as the papers score the files they save.

    Args:
        predictor: a `sodkeras.Predictor`.
        pairs: a list of (picture path, mask path).
        settings: arguments of `Evaluator`.
        progress: called with 1 after each pair.
        keep: a folder to write the scored maps to, as STEM.png.
        read: reads a mask by its path.

    Returns:
        The `Evaluator`, and a list of (picture path, error) for pairs that could not be scored.
    """
    evaluator, failures = Evaluator(**settings), []
    masks = dict(pairs)
    for path, photo, result in predictor.stream(masks):
        try:
            if photo is None:
                raise result
            mask = read(masks[path])
            levels = ScoredMap(result, mask).levels
            if keep:
                write_png(keep / f"{path.stem}.png", levels)
            evaluator.update(levels, mask)
        except PICTURE_ERRORS as error:
            failures.append((path, str(error)))
        progress(1)
    return evaluator, failures


@contextlib.contextmanager
def scorer(processes: int) -> Iterator[Callable[..., tuple[Evaluator, list[tuple[pathlib.Path, str]]]]]:
    """Gives `score_all(pairs, settings, resize, progress, read=read_mask)`: `score_files` over processes.

    The results have the same bits for any number of processes. `progress` is called with the number of pairs done since
    its last call.
    """
    if processes == 1:

        def score_all_here(pairs, settings, resize, progress, read=read_mask):
            parts = (score_files(chunk, settings, resize, read) for chunk in _chunks(pairs))
            return _merge(parts, settings, progress)

        yield score_all_here
        return
    pool = spawned_pool(processes, cv2.setNumThreads, (1,))

    def score_all(pairs, settings, resize, progress, read=read_mask):
        futures = [pool.submit(score_files, chunk, settings, resize, read) for chunk in _chunks(pairs)]
        done = (future.result() for future in concurrent.futures.as_completed(futures))
        return _merge(done, settings, progress)

    try:
        yield score_all
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(pairs):
    return [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]


def _merge(parts, settings, progress):
    evaluator, failures = Evaluator(**settings), []
    for part, part_failures in parts:
        evaluator.merge(part)
        failures += part_failures
        progress(part.pictures + len(part_failures))
    return evaluator, sorted(failures)
