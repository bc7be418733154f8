"""A pruned U²-Net† is made and trained by its script; in a file of its own, for another process to take."""


def test_u2netp(is_trained_by_its_script):
    assert is_trained_by_its_script("u2netp_pruned_224", {"whole": 64}, "--side=64")
