"""Data sets: pairs of pictures and masks found, checked, augmented and turned into batches.

`sodkeras.data.pipeline` feeds training under TensorFlow, `sodkeras.data.packed` under any backend of Keras.
"""

from sodkeras.data.augmentation import Augmentation
from sodkeras.data.pairs import Pair, find_pairs, split_pairs

__all__ = ["Augmentation", "Pair", "find_pairs", "split_pairs"]
