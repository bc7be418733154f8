"""The flag --mask_value, of every verb that reads masks."""

from absl import flags


def define_mask_value(flag_values):
    """Defines it; None where no class is chosen."""
    flags.DEFINE_integer(
        "mask_value",
        None,
        "The object's class in masks of classes: a palette's index or a grey value; the rest is background.",
        lower_bound=0,
        upper_bound=65535,
        flag_values=flag_values,
    )
