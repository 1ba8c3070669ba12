"""Where the settings say that a teacher's weights come from."""

from __future__ import annotations

import timm

from autokd.config import SearchConfig
from autokd.zoo.student_name import base_name

FROM_PYTHON = "given from Python"


def weights_mode(config: SearchConfig) -> str:
    """`scratch`, `pretrained` or a file's path: as asked, else scratch for the digits and pretrained for other data."""
    return config.teacher_weights or ("scratch" if config.data == "digits" else "pretrained")


def teacher_is_given(config: SearchConfig, classes: int) -> bool:
    """Whether the weights asked for are used as they are: a file's, or the hub's with a head of as many classes."""
    if config.teacher_epochs:
        return False
    mode = weights_mode(config)
    if mode == "pretrained":
        return (
            config.teacher_epochs is None and timm.get_pretrained_cfg(base_name(config.teacher)).num_classes == classes
        )
    return mode != "scratch"
