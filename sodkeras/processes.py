"""Processes that end when the one that started them ends, whichever way it does."""

import concurrent.futures
import multiprocessing
import os
import threading


def spawned_pool(count, setup=None, arguments=()):
    """A `ProcessPoolExecutor` of fresh processes, none of which outlives this one.

    A forked process may inherit locks that TensorFlow's or OpenCV's threads hold; a spawned one starts clean.

    Args:
        count: of processes.
        setup: a function that each calls before its first task, with `arguments`.
    """
    return concurrent.futures.ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(setup, arguments),
    )


def _start(setup, arguments):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if setup:
        setup(*arguments)


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
