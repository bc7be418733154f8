"""The pictures that our own weights are trained on, for own_weights.py and own_weights_pack.py."""

from sodkeras.data import find_pairs, split_pairs

#: Pictures that a teacher labels: the folder in the data, by a name for their labels.
UNLABELLED = {"msra": "msra_1000_images", "coco": "coco128/images"}
#: The one of these whose photos show many things.
CROWDED = "coco"
#: Of all pairs, what is for validation.
VALIDATION_SHARE = 0.05
# It is also in the other half of the horses, under another name.
_TWIN = "horse274"


def labelled_by_hand(data):
    """All people, and the half of the horses that is not scored (see own_scores.py)."""
    horses = [pair for pair in split_pairs(find_pairs([data / "weizmann_horses"]), 0.5)[0] if pair.stem != _TWIN]
    return [*horses, *find_pairs([data / "human_290"])]
