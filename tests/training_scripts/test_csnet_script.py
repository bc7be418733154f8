"""A CSNet of the package is trained further by its script; in a file of its own, for another process to take."""


def test_csnet(is_trained_by_its_script):
    assert is_trained_by_its_script("csnet_l_x1", {"small": 128, "whole": 192})
