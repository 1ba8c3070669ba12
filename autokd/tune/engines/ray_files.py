"""Files to the nodes of a cluster and back.

A worker that sees the controller's paths (one machine, or a shared disk) uses them as they are. Any other node fetches
data and soft labels once, into its own temporary folder, for all of its workers; what a training leaves behind goes to
a mailbox, an actor on the controller's node that writes it into the run folder.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from autokd.files import digest, make_folder, opened, write_bytes, write_text
from autokd.runs.store import CHECKPOINT, RESULT
from autokd.tune.engines.protocol import Job, WorkshopFactory

CHUNK = 256 << 20  # bytes of a file in one object of the store


@dataclass(frozen=True)
class Shipment:
    """What a worker needs to find, or to fetch, its files."""

    label: str  # names these files on every node; the same files are fetched once, however many engines run
    witness: str  # a file in the run folder that holds the label
    files: tuple[str, ...]
    parts: Mapping[str, list[Any]]  # file -> references to its chunks; empty where there is one node
    mailbox: Any  # actor handle; None where there is one node

    def shared(self) -> bool:
        """Whether this process sees the run folder and the files on the controller's disk."""
        try:
            witnessed = Path(self.witness).read_text(encoding="utf-8") == self.label
        except OSError:
            return False
        return witnessed and all(Path(file).exists() for file in self.files)

    @contextmanager
    def unpacked(self, factory: WorkshopFactory) -> Iterator[WorkshopFactory]:
        """The factory for this node, its files fetched by the first worker there."""
        if self.shared():
            yield factory
            return
        root = Path(tempfile.gettempdir()) / f"autokd-{self.label}"
        make_folder(root)
        with opened(root / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / ".complete").exists():
                for path, chunks in self.parts.items():
                    target = root / Path(path).relative_to("/")
                    write_bytes(target, b"".join(ray.get(chunk) for chunk in chunks))
                (root / ".complete").touch()
        yield factory.moved(root)

    def desk(self, job: Job) -> Desk:
        """Where a job's files are written: its own folder, or a local one whose content is sent home."""
        if self.shared():
            return Desk(job, None, job.folder)
        folder = Path(tempfile.gettempdir()) / f"autokd-{self.label}" / "jobs" / digest(job.folder)
        shutil.rmtree(folder, ignore_errors=True)  # what counts is what was sent home
        make_folder(folder)
        for name, content in ray.get(self.mailbox.pick_up.remote(job.folder)).items():
            write_bytes(folder / name, content)
        return Desk(job.model_copy(update={"folder": str(folder)}), self.mailbox, job.folder)


class Desk:
    """The folder of one job on the node that trains it."""

    def __init__(self, job: Job, mailbox: Any, home: str) -> None:
        self.job, self._mailbox, self._home = job, mailbox, home

    def hand_in(self) -> None:
        """Send home what is in the folder, checkpoints too, so that another node can go on."""
        if self._mailbox is None:
            return
        files = {p.name: p.read_bytes() for p in Path(self.job.folder).iterdir() if not p.name.startswith(".")}
        ray.get(self._mailbox.deliver.remote(self._home, files))

    def leave(self) -> None:
        """The job is over here: what was sent home need not stay on the node."""
        if self._mailbox is not None:
            shutil.rmtree(self.job.folder, ignore_errors=True)


class Mailbox:
    """Lives on the controller's node; keeps job folders in the run folder like those of a local training."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def deliver(self, folder: str, files: dict[str, bytes]) -> None:
        """Make the job's folder hold these files, result.json last; raises ValueError outside the run folder."""
        target = self._inside(folder)
        for name in sorted(files, key=lambda name: name == RESULT.name):
            write_bytes(target / Path(name).name, files[name])
        if CHECKPOINT not in files:
            (target / CHECKPOINT).unlink(missing_ok=True)

    def pick_up(self, folder: str) -> dict[str, bytes]:
        """What a resumed job has left so far."""
        checkpoint = self._inside(folder) / CHECKPOINT
        return {checkpoint.name: checkpoint.read_bytes()} if checkpoint.exists() else {}

    def _inside(self, folder: str) -> Path:
        path = Path(folder).resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(f"{folder} is outside of {self._root}")
        return path


def ship(files: list[Path], home: Path) -> Shipment:
    """Put the files into Ray's object store, if there is a node that may need them from there.

    home: the run folder, to which workers without it send what they make.
    """
    home, names = home.resolve(), tuple(str(path.resolve()) for path in files)
    label = digest(*names, *(Path(name).stat().st_mtime_ns for name in names))
    witness = home / ".witness"
    write_text(witness, label)
    here = ray.get_runtime_context().get_node_id()
    if all(node["NodeID"] == here for node in ray.nodes() if node["Alive"]):
        return Shipment(label, str(witness), names, {}, None)
    parts = {name: [ray.put(chunk) for chunk in _chunks(Path(name))] for name in names}
    on_this_node = NodeAffinitySchedulingStrategy(here, soft=False)
    mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=on_this_node).remote(str(home))
    return Shipment(label, str(witness), names, parts, mailbox)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
