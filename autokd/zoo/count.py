"""Parameters, MACs and activations of timm models in their served form, counted on the meta device and kept in a cache.

One MAC is a multiplication and the addition of its product: two of the FLOPs that torch.utils.flop_counter
counts. It counts matrix products, convolutions and attention; on the meta device attention is not hidden in
a fused kernel.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

import timm
import torch
from timm.models import model_entrypoint
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from autokd.cache.locks import make_way
from autokd.errors import CacheError, UsageError
from autokd.files import read_cache_json, write_text
from autokd.machine import Stopwatch
from autokd.progress import Listener, Silent
from autokd.zoo.build import REFUSALS, check_name, reason
from autokd.zoo.catalogue import Count, catalogue, lookup
from autokd.zoo.served_form import build_merged_on_meta, reparameterised
from autokd.zoo.student_name import base_name, parse

FLUSH_EVERY = 50  # models between two writes of the cache


def count(name: str, classes: int, image_size: int, cache: Path | None = None) -> Count:
    """Count one model; raises UsageError for one that is unknown or cannot work at this image size."""
    counts, refused = count_all([name], classes, image_size, cache)
    if name in refused:
        check_name(name)
        raise UsageError(f"{name} cannot be used at {image_size} px: {refused[name]}")
    return counts[name]


def count_all(
    names: Iterable[str],
    classes: int,
    image_size: int,
    cache: Path | None = None,
    listener: Listener | None = None,
) -> tuple[dict[str, Count], dict[str, str]]:
    """Counts by name, and the reason in a few words for every model that cannot be used at this size.

    Known models are looked up in the catalogue, the others are built. `cache` is the cache folder; its counts.json is
    keyed by timm's version, name, classes and image size, and a damaged one is counted again. Nothing is kept where
    `cache` is None.
    """
    listener = listener or Silent()
    wanted = list(dict.fromkeys(names))
    found = {name: known for name in wanted if (known := lookup(name, classes, image_size)) is not None}
    store = _Store(cache, classes, image_size)
    if store.damaged:
        listener.note(f"{store.path} is damaged; what it held is counted again.")
    missing = [name for name in wanted if name not in found and store.get(name) is None]
    _say_why(missing, listener)
    watch = Stopwatch()
    for done, name in enumerate(missing, start=1):
        store.put(name, counted(name, classes, image_size))
        listener.advance("counting students", done, len(missing), watch.seconds / done * (len(missing) - done))
        if done % FLUSH_EVERY == 0 or done == len(missing):
            store.write()
    for name in wanted:
        if name not in found and (known := store.get(name)) is not None:
            found[name] = known
    answers = [(name, found[name]) for name in wanted]
    counts = {name: answer for name, answer in answers if isinstance(answer, Count)}
    return counts, {name: answer for name, answer in answers if isinstance(answer, str)}


def _say_why(missing: list[str], listener: Listener) -> None:
    """Tell of models that are counted although the catalogue has them, because timm has changed."""
    changed = [name for name in missing if parse(name).is_plain] if not catalogue().is_current else []
    if changed:
        listener.note(
            f"Models that are counted now, and kept: {len(changed)}. timm {catalogue().installed} is installed, "
            f"the catalogue was made from {catalogue().timm}."
        )


def module_macs(model: nn.Module, image_size: int) -> int:
    """MACs of any image model's served form for one RGB image; the model itself is left in evaluation mode."""
    shapes = copy.deepcopy(reparameterised(model)).to("meta").requires_grad_(False)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:  # its module tracker stumbles over inference mode
        shapes(torch.zeros(1, 3, image_size, image_size, device="meta"))
    return int(counter.get_total_flops() // 2)


def family(name: str) -> str:
    """The timm module that defines a model, without the package: `resnet`, `vision_transformer`, ..."""
    module: str = model_entrypoint(base_name(name)).__module__
    return module.rpartition(".")[2]


def counted(name: str, classes: int, image_size: int) -> Count | str:
    """A model built and counted now, or why it cannot be used at this size."""
    try:
        model = build_merged_on_meta(name, classes, image_size)
    except UsageError as error:
        return reason(error.__cause__ or error)
    return counted_model(model, classes, image_size, family(name))


def counted_model(model: nn.Module, classes: int, image_size: int, family: str) -> Count | str:
    """The same of a model on the meta device that is not built for an image size, or for this one."""
    counter = FlopCounterMode(display=False)
    with _output_sizes(model) as outputs:
        try:
            with torch.no_grad(), counter:  # its module tracker stumbles over inference mode
                scores = model(torch.zeros(1, 3, image_size, image_size, device="meta"))
        except REFUSALS as error:
            return f"its forward pass fails ({reason(error)})"
    if not isinstance(scores, torch.Tensor) or scores.shape != (1, classes):
        return "it does not give one score for each class"
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Count(parameters, counter.get_total_flops() // 2, sum(outputs), len(outputs), family)


@contextmanager
def _output_sizes(model: nn.Module) -> Iterator[list[int]]:
    """Filled by a forward pass: elements of what each convolutional and linear layer gives, in turn."""
    sizes: list[int] = []

    def note(module: nn.Module, inputs: object, output: torch.Tensor) -> None:  # noqa: ARG001 - a hook's arguments
        sizes.append(output.numel())

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear))]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield sizes
    finally:
        for hook in hooks:
            hook.remove()


class _Store:
    """counts.json of one cache folder, seen at one number of classes and one image size."""

    def __init__(self, cache: Path | None, classes: int, image_size: int) -> None:
        self.path = None if cache is None else cache / "counts.json"
        self.damaged = False
        self._suffix = f"/{classes}/{image_size}"
        self._prefix = f"{timm.__version__}/"
        self._entries = self._read()

    def get(self, name: str) -> Count | str | None:
        return self._entries.get(self._key(name))

    def put(self, name: str, entry: Count | str) -> None:
        self._entries[self._key(name)] = entry

    def write(self) -> None:
        """Write together with what other processes have written since; of this version of timm only."""
        if self.path is None:
            return
        make_way(self.path)
        entries = {**self._read(), **self._entries}
        content = {key: e if isinstance(e, str) else asdict(e) for key, e in sorted(entries.items())}
        write_text(self.path, json.dumps({"crc32": _checksum(content), "counts": content}, indent=0) + "\n")

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}{self._suffix}"

    def _read(self) -> dict[str, Count | str]:
        """What is on disk; nothing where the file is absent or damaged: all can be counted again."""
        if self.path is None or not self.path.exists():
            return {}
        try:
            whole = read_cache_json(self.path)
        except CacheError:
            whole = {}
        content = whole.get("counts")
        if not isinstance(content, dict) or whole.get("crc32") != _checksum(content):
            self.damaged = True
            return {}
        own = {key: value for key, value in content.items() if key.startswith(self._prefix)}
        entries = {key: _entry(value) for key, value in own.items()}
        return {key: entry for key, entry in entries.items() if entry is not None}


def _checksum(content: Mapping[str, object]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _entry(value: object) -> Count | str | None:
    """One value of counts.json; None for one that this code did not write."""
    if isinstance(value, str):
        return value
    types = {field.name: int for field in fields(Count)} | {"family": str}
    if not isinstance(value, dict) or set(value) != set(types):
        return None
    if all(isinstance(value[key], kind) for key, kind in types.items()):
        return Count(**value)
    return None
