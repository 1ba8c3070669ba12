"""Weights files of strangers: what is no plain tensor of floats is refused in one sentence, whatever it claims."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autokd.errors import TeacherError
from autokd.naming import Names, naming
from autokd.weights.loading import fit_state, read_class_names, read_state
from autokd.zoo.build import build

CHANGED = "conv1.0.weight"
STRANGE: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sparse": (lambda t: t.to_sparse(), "is sparse or nested"),
    "compressed rows": (lambda t: t.flatten(1).to_sparse_csr(), "is sparse or nested"),
    "nested": (lambda t: torch.nested.nested_tensor([t[0], t[0, :1]]), "is sparse or nested"),
    "meta": (lambda t: t.to("meta"), "is without data (on the meta device)"),
    "quantized": (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "is quantized"),
    "complex": (lambda t: t.to(torch.complex64), "is complex"),
    "a view of nothing": (
        lambda t: t.flatten()[:1].clone().expand(2**20, 2**20),
        "is of 4,398,046,511,104 bytes",
    ),
    "integers": (lambda t: t.long(), "holds torch.int64 instead of floats"),
    "codes": (lambda t: t.to(torch.int8), "holds torch.int8 instead of floats"),
    "truth values": (lambda t: t > 0, "holds torch.bool instead of floats"),
}


def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(build("test_resnet", 3, 32).state_dict())


def fitted(path: Path) -> None:
    fit_state(build("test_resnet", 3, 32), read_state(path), ("fc",), "test_resnet")


def refused(path: Path) -> str:
    start = time.monotonic()
    with naming(Names("flag")), pytest.raises(TeacherError) as caught:
        fitted(path)
    assert time.monotonic() - start < 2
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value) and len(str(caught.value)) < 600
    return str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of what is made here
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_tensor_is_named(tmp_path: Path, kind: str) -> None:
    change, why = STRANGE[kind]
    given = state()
    torch.save({**given, CHANGED: change(given[CHANGED])}, tmp_path / "w.pt")
    assert f"{CHANGED} {why}" in refused(tmp_path / "w.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_width_are_welcome(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save({k: t.to(dtype) if t.is_floating_point() else t for k, t in state().items()}, tmp_path / "w.pt")
    fitted(tmp_path / "w.pt")


def test_names_of_tensors_are_escaped_and_shortened(tmp_path: Path) -> None:
    torch.save({"a\n\x1b[31m" * 100: torch.zeros(2).to_sparse()}, tmp_path / "w.pt")
    assert r"its tensor a\n\x1b[31ma\n" in refused(tmp_path / "w.pt")


def test_what_torch_says_in_colours_is_said_plainly(tmp_path: Path) -> None:
    torch.save({"a": torch.nn.UninitializedParameter()}, tmp_path / "w.pt")
    assert "cannot be loaded safely (Weights only load failed" in refused(tmp_path / "w.pt")


def nested(depth: int) -> Any:
    content: Any = torch.zeros(1)
    for _ in range(depth):
        content = {"model": content}
    return content


def test_tensors_that_lie_too_deep_are_not_found(tmp_path: Path) -> None:
    torch.save(nested(300), tmp_path / "w.pt")
    assert "holds no tensors" in refused(tmp_path / "w.pt")
    (tmp_path / "lists.pt").write_bytes(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    assert "cannot be loaded safely" in refused(tmp_path / "lists.pt")


FLOATS = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HEADERS: dict[str, dict[str, Any] | bytes] = {
    "more than there is": {"a": {**FLOATS, "shape": [10**12], "data_offsets": [0, 4 * 10**12]}},
    "more than fits a number": {"a": {**FLOATS, "shape": [2**63, 2**63]}},
    "an unknown type": {"a": {**FLOATS, "dtype": "Q9"}},
    "nested too deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "names nested too deep": {"__metadata__": {"label_names": "[" * 100_000}, "a": FLOATS},
    "nothing": {},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_claims_too_much_is_refused(tmp_path: Path, header: dict[str, Any] | bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * (0 if header == {} else 4))
    refused(path)
    if b"label_names" in text:
        assert read_class_names(path) is None


def test_a_header_of_exabytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    assert "header too large" in refused(tmp_path / "w.safetensors")
