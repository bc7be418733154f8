"""What commands tell TensorFlow before it starts."""

import os
import pathlib
import subprocess
import sys

import pytest

from sodkeras.commands.main import prepare_tensorflow

NAMES = ("TF_NUM_INTRAOP_THREADS", "TF_ENABLE_ONEDNN_OPTS")
#: A shortcut of a ResNet. glibc's library for it tells when memory was written that nobody asked for.
TRAINING = """
import os

from sodkeras.commands.main import prepare_tensorflow

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
prepare_tensorflow()
import tensorflow as tf

@tf.function
def gradient(x, kernel):
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = tf.reduce_sum(tf.nn.conv2d(x, kernel, 2, "SAME") ** 2)
    return tape.gradient(loss, kernel)

for _ in range(3):
    gradient(tf.ones((4, 12, 12, 4)), tf.ones((1, 1, 4, 8)))
"""
MALLOC_DEBUG = pathlib.Path("/lib/x86_64-linux-gnu/libc_malloc_debug.so.0")


@pytest.mark.parametrize(
    ("cores", "said", "expected"),
    [
        (4, {}, (None, "1")),
        (1, {}, ("2", "1")),
        (1, {NAMES[0]: "1"}, ("1", "0")),
        (4, {NAMES[0]: "1"}, ("1", "0")),
        (1, {NAMES[1]: "0"}, ("2", "0")),
        (4, {NAMES[0]: "3", NAMES[1]: "0"}, ("3", "0")),
    ],
)
def test_one_thread_and_one_dnn_do_not_meet_unless_the_user_says_so(monkeypatch, cores, said, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "environ", dict(said))
    prepare_tensorflow()
    assert tuple(map(os.environ.get, NAMES)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="a process cannot be held to one core")
def test_a_resnet_is_trained_on_one_core_within_its_memory():
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    if MALLOC_DEBUG.exists():
        environment |= {"LD_PRELOAD": str(MALLOC_DEBUG), "GLIBC_TUNABLES": "glibc.malloc.check=3"}
    done = subprocess.run([sys.executable, "-c", TRAINING], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
