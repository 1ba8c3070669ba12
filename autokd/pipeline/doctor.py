"""Looks at this machine: what is there, what is missing, and whether a search can run."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autokd.formatting import file_size, first_line, listed
from autokd.machine import PACKAGES, available_memory, free_disk, hardware, usable_cores, versions
from autokd.naming import set_to
from autokd.precision import has_bf16
from autokd.records import Record

LEAST_MEMORY = 2 * 10**9  # bytes; torch, timm and a tiny training need most of it
LEAST_DISK = 10**9


class Check(Record):
    """One thing that was looked at: what was found, or what is wrong and the next step."""

    name: str
    ok: bool
    text: str


def examine(cache_dir: Path) -> Iterator[Check]:
    """All checks, in order, each as soon as it is known. A search can run where all of them are ok."""
    packages = _packages()
    yield packages
    if not packages.ok:
        return
    from autokd.pipeline.smoke import smoke

    yield from _devices()
    yield _cores()
    yield _memory()
    yield _disk(cache_dir)
    yield _hub()
    with tempfile.TemporaryDirectory(prefix="autokd-doctor-") as folder:
        for device in devices():
            yield from smoke(device, Path(folder) / device.replace(":", "-"))


def devices() -> list[str]:
    """The processor, and every CUDA device."""
    import torch

    return ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]


def _packages() -> Check:
    """Ray may be missing: the local engine does without."""
    found = versions()
    missing = [name for name in PACKAGES if name not in found and name not in ("autokd", "ray")]
    names = ("autokd", "python", *(name for name in PACKAGES if name != "autokd"))
    text = ", ".join(f"{name} {found.get(name, 'not installed')}" for name in names)
    if missing:
        return Check(name="versions", ok=False, text=f"{text}; install {listed(missing)}")
    try:
        importlib.import_module("torch")
        importlib.import_module("timm")
    except (ImportError, OSError) as error:  # torch raises the second where a library of CUDA is missing
        return Check(name="versions", ok=False, text=f"{text}; reinstall torch and timm ({error})")
    return Check(name="versions", ok=True, text=text)


def _devices() -> Iterator[Check]:
    import torch

    yield Check(name="cpu", ok=True, text=hardware()["cpu"])
    for number in range(torch.cuda.device_count()):
        yield _gpu(f"cuda:{number}")
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        why = f"torch is built for {built} but finds no GPU or no driver" if built else "this torch is for the CPU only"
        yield Check(name="cuda", ok=True, text=f"no CUDA device ({why}); trainings run on the CPU")


def _gpu(device: str) -> Check:
    import torch

    try:
        free, total = torch.cuda.mem_get_info(device)
        precision = "bfloat16" if has_bf16(device) else "no bfloat16, float16 instead"
        text = f"{torch.cuda.get_device_name(device)}, {file_size(free)} of {file_size(total)} free, {precision}"
    except RuntimeError as error:
        first = first_line(error)
        text = f"it cannot be used ({first}); look at nvidia-smi, or give {set_to('device', 'cpu')}"
        return Check(name=device, ok=False, text=text)
    return Check(name=device, ok=True, text=text)


def _cores() -> Check:
    import torch

    return Check(name="cores", ok=True, text=f"{usable_cores()} usable, {torch.get_num_threads()} threads of torch")


def _memory() -> Check:
    free = available_memory()
    if free < LEAST_MEMORY:
        return Check(name="memory", ok=False, text=f"{file_size(free)} free; make {file_size(LEAST_MEMORY)} free")
    return Check(name="memory", ok=True, text=f"{file_size(free)} free")


def _disk(cache_dir: Path) -> Check:
    name = f"cache {cache_dir}"
    there = next(path for path in (cache_dir.absolute(), *cache_dir.absolute().parents) if path.exists())
    other = f"give another {set_to('cache_dir', 'DIR')}"
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Check(name=name, ok=False, text=f"nothing can be written to {there}; {other}")
    free = free_disk(cache_dir)
    if free < LEAST_DISK:
        return Check(name=name, ok=False, text=f"{file_size(free)} free; make room, or {other}")
    return Check(name=name, ok=True, text=f"{file_size(free)} free")


def _hub() -> Check:
    """Being offline is no failure: digits, own weights and what is cached need no hub."""
    from autokd.weights.hub import reachable

    if reachable():
        return Check(name="hub", ok=True, text="the Hugging Face hub answers")
    text = "the Hugging Face hub does not answer: only cached weights and data can be used, and your own"
    return Check(name="hub", ok=True, text=text)
