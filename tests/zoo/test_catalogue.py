"""Packaged counts are those of freshly built models, and are used with the sources alone that they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg

from autokd.zoo import timm_hashes
from autokd.zoo.build import build
from autokd.zoo.catalogue import Catalogue, Count, catalogue, lookup
from autokd.zoo.count import counted, family

OTHER_CLASSES = 37  # the catalogue was made with 10 and 1,000

# Convolutions, attention with position embeddings, windows, two heads, pruned widths, and models that not every size
# suits.
SAMPLE = [
    "resnet18",
    "mobilenetv3_small_050",
    "efficientnet_b1_pruned",
    "convnext_atto",
    "vit_tiny_patch16_384",
    "deit_tiny_distilled_patch16_224",
    "swin_tiny_patch4_window7_224",
    "levit_128s",
    "xcit_nano_12_p16_224",
    "resmlp_12_224",
    "inception_v3",
    "dla46_c",
    "repvgg_a0",
    "test_vit",
    "test_nfnet",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_counts_are_those_of_the_built_model(name: str) -> None:
    entry = catalogue().get(name)
    assert entry is not None
    for size in entry.sizes:
        fresh, stored = counted(name, OTHER_CLASSES, size), entry.count(OTHER_CLASSES, size)
        assert fresh == stored if isinstance(fresh, Count) else isinstance(stored, str), f"{size} px"


@pytest.mark.parametrize("name", ["lcnet_050", "test_vit2"])
@pytest.mark.parametrize("size", [50, 224])
def test_parameters_at_a_size_not_tried_are_exact_or_unknown(name: str, size: int) -> None:
    entry = catalogue().get(name)
    assert entry is not None
    known = entry.parameters(OTHER_CLASSES, size)
    if known is None:
        assert entry.takes_size
    else:
        assert known == sum(p.numel() for p in build(name, OTHER_CLASSES, size, device="meta").parameters())


def test_all_models_of_timm_are_in_it() -> None:
    assert catalogue().is_current
    assert catalogue().names() == timm.list_models()


def test_facts_are_timms() -> None:
    for name in timm.list_models()[::25]:
        entry, config = catalogue().get(name), get_pretrained_cfg(name)
        assert entry is not None
        assert entry.family == family(name)
        assert entry.native == config.input_size[-1]
        weights = {full.partition(".")[2]: c for full, c in get_arch_pretrained_cfgs(name).items() if c.has_weights}
        assert entry.weights == {tag: c.license or "" for tag, c in weights.items()}
        assert not entry.weights or next(iter(entry.weights)) == config.tag
        assert {tag: entry.inputs.get(tag, entry.native) for tag in weights} == {
            tag: c.input_size[-1] for tag, c in weights.items()
        }
        assert set(entry.top1) <= set(entry.weights)


def test_published_accuracies() -> None:
    entry = catalogue().get("resnet18")
    assert entry is not None
    assert entry.top1["a1_in1k"] == pytest.approx(73.164)
    assert entry.top1["tv_in1k"] == pytest.approx(69.752)


def test_a_student_with_settings_is_not_looked_up() -> None:
    assert isinstance(lookup("resnet18", 10, 32), Count)
    assert lookup("resnet18.a1_in1k", 10, 32) == lookup("resnet18", 10, 32)
    assert lookup("resnet18@width=0.5", 10, 32) is None
    assert lookup("resnet18", 10, 33) is None


SOURCES = {
    "layers/conv.py": "",
    "layers/deep/attention.py": "",
    "models/_builder.py": "",
    "models/_pruned/net.txt": "",
    "models/one.py": "from ._builder import build\nfrom timm.layers import Conv\n",
    "models/two.py": "from timm.layers import Conv\n\ndef late():\n    from .one import Net\n",
    "models/three.py": "from timm.models.two import Net\n",
}


@pytest.fixture
def fake_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sources of a timm with three families: `three` builds on `two`, which builds on `one`."""
    root = tmp_path / "timm"
    for path, text in SOURCES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    monkeypatch.setattr(timm_hashes, "timm_folder", lambda: root)
    _forget_hashes()
    yield root
    _forget_hashes()


def _forget_hashes() -> None:
    timm_hashes.shared_hash.cache_clear()
    timm_hashes.family_hash.cache_clear()


def catalogue_file(folder: Path, **changes: Any) -> Path:
    """A catalogue of the families in `fake_timm`, with one model each, made from timm 1.0."""
    model = {"native": 64, "parameters": 100, "layers": 3, "per_class": [5, 4, 1]}
    model |= {"sizes": {"32": [200, 20], "64": [800, 80], "96": [110, 1800, 180, 4], "224": 0}}
    content = {
        "timm": "1.0",
        "reasons": ["its forward pass fails"],
        "shared": timm_hashes.shared_hash(),
        "families": {name: timm_hashes.family_hash(name) for name in ("one", "two", "three")},
        "models": {f"net_{name}": {"family": name, **model, **changes} for name in ("one", "two", "three")},
    }
    path = folder / "catalogue.json"
    path.write_text(json.dumps(content))
    return path


def usable(path: Path) -> set[str]:
    """Families that another timm than the catalogue's takes from it."""
    _forget_hashes()
    found = Catalogue(path, installed="2.0")
    assert not found.is_current
    return {name.removeprefix("net_") for name in found.names() if found.get(name) is not None}


def test_entries_hold_in_another_timm_with_the_same_sources(fake_timm: Path, tmp_path: Path) -> None:
    assert usable(catalogue_file(tmp_path)) == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ("models/three.py", {"one", "two"}),
        ("models/two.py", {"one"}),
        ("models/one.py", set()),
        ("models/_builder.py", set()),
        ("models/_pruned/net.txt", set()),
        ("layers/conv.py", set()),
        ("layers/deep/attention.py", set()),
    ],
)
def test_a_change_in_timm_is_a_change_for_all_that_builds_on_it(
    fake_timm: Path, tmp_path: Path, changed: str, left: set[str]
) -> None:
    path = catalogue_file(tmp_path)
    with (fake_timm / changed).open("a") as file:
        file.write("# another\n")
    assert usable(path) == left


def test_a_family_that_is_gone_is_not_taken(fake_timm: Path, tmp_path: Path) -> None:
    path = catalogue_file(tmp_path)
    (fake_timm / "models/three.py").unlink()
    assert usable(path) == {"one", "two"}


def test_the_same_version_is_believed_without_reading_sources(fake_timm: Path, tmp_path: Path) -> None:
    path = catalogue_file(tmp_path)
    (fake_timm / "models/one.py").unlink()
    found = Catalogue(path, installed="1.0")
    assert found.is_current
    assert found.get("net_one") is not None
    assert found.get("net_four") is None


def test_numbers_are_read_as_they_were_written(fake_timm: Path, tmp_path: Path) -> None:
    entry = Catalogue(catalogue_file(tmp_path), installed="1.0").get("net_two")
    assert entry is not None
    assert entry.count(10, 32) == Count(150, 240, 30, 3, "two")
    assert entry.count(10, 96) == Count(160, 1840, 190, 4, "two")
    assert entry.count(10, 48) is None
    assert entry.count(10, 224) == "its forward pass fails; of the sizes tried it works at 32, 64, 96 px"
    assert entry.works_at() == [32, 64, 96]


def test_parameters_are_known_at_any_size_unless_the_model_is_built_for_one(fake_timm: Path, tmp_path: Path) -> None:
    free = Catalogue(catalogue_file(tmp_path), installed="1.0").get("net_one")
    built = Catalogue(catalogue_file(tmp_path, takes_size=True), installed="1.0").get("net_one")
    assert free is not None
    assert built is not None
    assert [free.parameters(10, size) for size in (48, 64, 224)] == [150, 150, 150]
    assert [built.parameters(10, size) for size in (48, 64, 96, 224)] == [None, 150, 160, None]


@pytest.mark.parametrize("name", ["volo_d1_224", "resnet50_clip"])
def test_a_head_that_grows_with_the_image_is_exact_at_every_size(name: str) -> None:
    """Every class adds a score for each patch, so what one adds at 224 px says nothing about 64."""
    for size in (64, 224, 256):
        assert lookup(name, 17, size) == counted(name, 17, size)
