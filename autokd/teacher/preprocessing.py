"""How a teacher that comes trained sees images: by its timm configuration, or as the user says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import timm
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError
from torch import nn

from autokd.config import SearchConfig
from autokd.data.views import store_size
from autokd.errors import TeacherError
from autokd.naming import named, set_to
from autokd.records import Preprocessing, Task
from autokd.teacher.origin import teacher_is_given, weights_mode
from autokd.weights.loading import read_configuration
from autokd.zoo.student_name import base_name

Size = tuple[int, Annotated[int, Field(ge=8, le=2_048)], Annotated[int, Field(ge=8, le=2_048)]]
Share = Annotated[float, Field(ge=0.1, le=1)]
Triple = tuple[float, float, float]
SETTINGS = ("teacher_size", "crop_pct", "interpolation")


class _Stored(BaseModel):
    """What is read of a `pretrained_cfg` that somebody has stored."""

    model_config = ConfigDict(allow_inf_nan=False)

    input_size: Size | None = None
    test_input_size: Size | None = None
    crop_pct: Share | None = None
    test_crop_pct: Share | None = None
    crop_mode: str | None = None
    interpolation: str | None = None
    mean: Triple | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None


def own_preprocessing(config: SearchConfig, teacher: str | nn.Module, task: Task) -> Preprocessing | None:
    """That of a teacher that comes trained; None where it sees what students see, as one that is trained here does.

    Where all images are of one small size (CIFAR, digits), weights from a file and modules are taken to be trained on
    the images as students see them, for the configuration of their architecture says nothing of that.
    Raises TeacherError for settings that have no use, and for a configuration that cannot be followed.
    """
    asked = {name: value for name in SETTINGS if (value := getattr(config, name)) is not None}
    if not isinstance(teacher, nn.Module) and not teacher_is_given(config, len(task.classes)):
        if asked:
            name, value = next(iter(asked.items()))
            raise TeacherError(
                f"{set_to(name, value)} is for a teacher that comes trained, and this one is trained here at the image "
                f"size of the students; leave it out, or give {named('image_size')} for both"
            )
        return None
    students = Preprocessing(
        image_size=task.transform.image_size,
        resized=store_size(task.transform),
        interpolation=task.transform.interpolation,
    )
    own = students
    configuration = _configuration(config, teacher)
    if configuration and (config.teacher_size is not None or not _as_students(config, teacher, task, configuration)):
        own = _configured(config, configuration)
    elif config.teacher_size is not None:
        own = Preprocessing(image_size=config.teacher_size, resized=config.teacher_size, interpolation="bicubic")
    if config.crop_pct is not None:
        own = own.model_copy(update={"resized": math.floor(own.image_size / config.crop_pct)})
    if config.interpolation is not None:
        own = own.model_copy(update={"interpolation": config.interpolation})
    return None if own == students else own


def stored_configuration(config: SearchConfig) -> dict[str, Any]:
    """What a timm folder says of the weights file that is the teacher; empty where nothing does.

    Raises TeacherError where that makes no sense.
    """
    if weights_mode(config) in ("pretrained", "scratch"):
        return {}
    path = Path(weights_mode(config))
    architecture = timm.get_pretrained_cfg(base_name(config.teacher)).architecture
    try:
        stored = _Stored.model_validate(read_configuration(path, architecture))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise TeacherError(
            f"pretrained_cfg in {path.with_name('config.json')} has a value of {field} that makes no sense; mend it, "
            f"or move {path.name} to another folder and give {named('teacher_size')}"
        ) from None
    return stored.model_dump(exclude_none=True)


def _configuration(config: SearchConfig, teacher: str | nn.Module) -> dict[str, Any]:
    """timm's, as a dictionary; empty where a foreign module has none."""
    if isinstance(teacher, nn.Module):
        return dict(getattr(teacher, "pretrained_cfg", None) or {})
    return {**timm.get_pretrained_cfg(base_name(teacher)).to_dict(), **stored_configuration(config)}


def _as_students(config: SearchConfig, teacher: str | nn.Module, task: Task, configuration: dict[str, Any]) -> bool:
    """Whether images of one small size hide at what size the weights were trained."""
    if not isinstance(teacher, nn.Module) and (
        weights_mode(config) == "pretrained" or "input_size" in stored_configuration(config)
    ):
        return False
    return task.native_size is not None and task.native_size < _side(configuration, "input_size")


def _configured(config: SearchConfig, configuration: dict[str, Any]) -> Preprocessing:
    """As timm's own evaluation has it; at its larger test size, if that is asked for, with that size's crop."""
    size = config.teacher_size or _side(configuration, "input_size")
    at_test_size = size == _side(configuration, "test_input_size") != _side(configuration, "input_size")
    crop = (at_test_size and configuration.get("test_crop_pct")) or configuration.get("crop_pct") or 0.875
    mode = configuration.get("crop_mode") or "center"
    if mode not in ("center", "squash") and config.crop_pct is None:
        raise TeacherError(
            f"{config.teacher} pads images to squares (crop_mode {mode}), which is not supported; "
            f"give {named('crop_pct')} to cut their centre instead"
        )
    return Preprocessing(
        image_size=size,
        resized=math.floor(size / crop),
        interpolation="bilinear" if configuration.get("interpolation") == "bilinear" else "bicubic",
        squash=mode == "squash",
    )


def _side(configuration: dict[str, Any], name: str) -> int:
    """Pixels a side; 0 where the configuration does not say."""
    return int((configuration.get(name) or (0,))[-1])
