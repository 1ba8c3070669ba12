"""A folder of weights that students start from: one file a model, named after it."""

from __future__ import annotations

from pathlib import Path

import timm
from timm.models import split_model_name_tag

from autokd.errors import ConfigError, UsageError
from autokd.naming import set_to
from autokd.zoo.student_name import Spec, parse

SUFFIXES = (".safetensors", ".pth", ".pt")  # of two files of one name, the first is taken


class WeightsFolder:
    """The files by name. Raises ConfigError for no folder, an empty one, or a file named after no model."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise ConfigError(
                f"{set_to('student_weights', path)} is not a folder; "
                "give a folder of weights, auto, pretrained or scratch"
            )
        files = [file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES and not file.name.startswith(".")]
        if not files:
            raise ConfigError(
                f"{set_to('student_weights', path)} holds no weights ({', '.join(SUFFIXES)}); "
                "put in files such as resnet18.safetensors"
            )
        files.sort(key=lambda file: -SUFFIXES.index(file.suffix))
        self._files = {_name(file): file for file in files}

    def file_of(self, student: str) -> Path | None:
        """The file named like a student; for one without a tag also that of timm's default tag."""
        return next((self._files[name] for name in _names(parse(student)) if name in self._files), None)


def _name(file: Path) -> str:
    name = file.name.removesuffix(file.suffix)
    try:
        known = timm.is_model(split_model_name_tag(parse(name).name)[0])
    except UsageError:
        known = False
    if not known:
        raise ConfigError(
            f"{set_to('student_weights', file)} is named after no timm model; name it like resnet18{file.suffix} or "
            f"resnet18.a1_in1k{file.suffix}"
        )
    return name


def _names(spec: Spec) -> list[str]:
    """What a file of a student's weights may be called; an output stride changes no weights."""
    names = [str(spec)]
    if spec == Spec(spec.name, output_stride=spec.output_stride):
        names.append(spec.name)
        architecture, tag = split_model_name_tag(spec.name)
        default = timm.get_pretrained_cfg(architecture)
        if not tag and default is not None and default.tag:
            names.append(f"{architecture}.{default.tag}")
    return names
