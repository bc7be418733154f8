"""What several tests need: a network that converts and runs in a second, photos to try it on, free ports."""

import importlib.util
import socket

import cv2
import numpy as np
from absl import flags

from sodkeras import Preprocessing

TINY = {"encoder": [["RSU-3", 2, 4], ["RSU-3F", 2, 4]], "decoder": [["RSU-3", 2, 4]]}


def tiny_model(size=(32, 48), seed=0):
    """A U2Net with random weights whose maps vary with the picture."""
    import keras

    from sodkeras.models import U2Net

    keras.utils.set_random_seed(seed)
    model = U2Net(TINY, preprocessing=Preprocessing(size=size), name="tiny")
    fusion = model.get_layer("fusion_conv")
    fusion.kernel.assign(40 * fusion.kernel)
    return model


def photo(height=60, width=80, seed=0):
    """A bright disc on a dark gradient with noise: RGB, uint8."""
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    gradient = np.linspace(20, 90, width)[None, :, None]
    disc = np.zeros((height, width, 3), np.uint8)
    cv2.circle(disc, (width // 3 + 5 * seed, height // 2), height // 4, (210, 90, 40), -1)
    return np.clip(np.where(disc > 0, disc, gradient) + noise, 0, 255).astype(np.uint8)


def write_photo(path, **arguments):
    cv2.imwrite(str(path), photo(**arguments)[..., ::-1])
    return path


def free_ports(count):
    """Ports of this machine that nobody listens at."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def load_script(path):
    """A script as a module; its `main` is not run, and its flags do not stay, for another script may have them, too."""
    before = set(flags.FLAGS)
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
    return module
