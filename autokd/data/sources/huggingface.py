"""`hfds/NAME`: data sets of the Hugging Face hub, by way of timm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autokd.data.dataset import Labels, Part, Parts, common_size
from autokd.data.open_image import open_image, open_sides
from autokd.data.sources.python_pair import part_labels
from autokd.errors import DataError
from autokd.files import digest
from autokd.formatting import escaped, first_line
from autokd.naming import set_to


def read_hfds(data: str, data_dir: Path | None) -> Parts:
    if not data.removeprefix("hfds/").strip(" /"):
        raise DataError(f"{set_to('data', data)} names no data set; give one of the Hugging Face hub: hfds/NAME")
    try:
        import datasets
    except ImportError:
        raise DataError(f"{data} needs the package `datasets`; pip install 'autokd[datasets]'") from None
    from timm.data import create_dataset

    def load(split: str) -> Any:
        return create_dataset(data, root=str(data_dir) if data_dir else None, split=split)

    try:
        train = load("train")
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        why = first_line(error)
        raise DataError(f"{data} cannot be loaded ({why}); check its name and the network") from None
    parts: dict[str, Part] = {}
    stamps = [_stamp_of_hf(train)]
    for name, splits in {"val": ("validation", "valid", "val"), "test": ("test",)}.items():
        for split in splits:
            try:
                loaded = load(split)
                parts[name] = _hf_part(loaded, data, name)
                stamps.append(_stamp_of_hf(loaded))
                break
            except (ValueError, KeyError):
                continue
    reader = train.reader
    labels = part_labels(reader.iter_targets(), data)
    indices = {index: name for name, index in reader.class_to_idx.items()}
    count = int(labels.max()) + 1 if not indices else max(indices) + 1
    classes = tuple(escaped(str(indices.get(i, i))) for i in range(count))
    part = _hf_part(train, data, "train", labels)
    identity = None if None in stamps else digest(data, *parts, *stamps)
    return Parts(data, classes, part, parts.get("val"), parts.get("test"), identity, native_size=common_size(part))


def _stamp_of_hf(dataset: Any) -> str | None:
    """Follows the table of a split: what it is, and size and time of change of its files in the cache.

    None where the table holds paths of images instead of images, for those may change without the table.
    """
    table = dataset.reader.dataset
    if not (len(table) and (table[0][dataset.reader.image_key] or {}).get("bytes")):
        return None
    files = [Path(file["filename"]) for file in table.cache_files]
    stamps = [f"{file}:{(status := file.stat()).st_size}:{status.st_mtime_ns}" for file in files]
    about = (table.builder_name, table.config_name, table.version, table.split, len(table), table.features)
    return digest(*about, *stamps) if stamps else None


def _hf_part(dataset: Any, data: str, part: str, labels: Labels | None = None) -> Part:
    reader = dataset.reader
    if labels is None:
        labels = part_labels(reader.iter_targets(), data)

    def source(index: int) -> str | bytes:
        image = reader.dataset[index][reader.image_key] or {}  # timm's own way opens whatever lies at the path
        return image.get("bytes") or image.get("path") or ""

    return Part(
        [f"{part} image {i}" for i in range(len(labels))],
        labels,
        lambda i: open_image(source(i)),
        measure=lambda i: open_sides(source(i)),
    )
