"""The run folder: layout, manifest, lock and log. The record of a run is its folder."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import tomli_w

from autokd.config import SearchConfig
from autokd.errors import RunError
from autokd.files import (
    check_folder,
    check_regular,
    is_file,
    is_folder,
    is_new,
    make_folder,
    opened,
    sweep,
    write_all,
    write_text,
)
from autokd.machine import hardware, now, versions
from autokd.naming import named, set_to
from autokd.records import SoftLabelSet
from autokd.runs.checksums import check, checksums
from autokd.runs.manifest import Manifest, Stage, Status
from autokd.runs.store import StoredFile

MANIFEST = StoredFile[Manifest]("run.json", Manifest)


class Run:
    """One run folder. Paths are properties; everything written goes through atomic replacement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def study_path(self) -> Path:
        """The ledger, an SQLite file."""
        return self.path / "study.db"

    @property
    def log_path(self) -> Path:
        """autokd.log"""
        return self.path / "autokd.log"

    @property
    def config_path(self) -> Path:
        """config.toml"""
        return self.path / "config.toml"

    @property
    def lock_path(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / ".lock"

    @property
    def student_path(self) -> Path:
        """Folder of the recommended student."""
        return self.path / "student"

    def trial_path(self, number: int) -> Path:
        """Folder of a trial."""
        return self.path / "trials" / str(number)

    def screening_path(self, number: int, epochs: int) -> Path:
        """Folder of a student's training of so many epochs in the screening."""
        return self.path / "screening" / str(number) / str(epochs)

    def finalist_path(self, number: int, seed: int) -> Path:
        """Folder of one training of a finalist."""
        return self.path / "finalists" / str(number) / str(seed)

    # ---- life ------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, config: SearchConfig, command: str | None = None) -> Run:
        """Begin a run in a folder that is absent or empty.

        Raises RunError where the folder holds anything.
        """
        check_folder(path)
        if MANIFEST.exists(path):
            raise RunError(
                f"{path} already holds a run; add {set_to('resume', True)} to go on with it, "
                f"or choose another {named('output')}"
            )
        if not is_new(path):
            raise RunError(f"{path} is not empty and holds no run; choose another {named('output')}")
        make_folder(path)
        run = cls(path)
        run.write(
            Manifest(
                id=path.name,
                status="running",
                started=now(),
                ended=None,
                seed=config.seed,
                command=command or shlex.join(["autokd", *sys.argv[1:]]),
                settings=config,
                versions=versions(),
                hardware=hardware(),
            )
        )
        run.write_config(config)
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """An existing run; raises RunError where there is none, or one that cannot be read."""
        run = cls(path)
        check_regular(path, links=True)  # a pipe or a device in a stranger's folder would be read for ever
        if not MANIFEST.exists(path) and not is_folder(MANIFEST.path(path)):
            raise RunError(f"{path} holds no run (run.json is missing); name the folder that `autokd search` printed")
        MANIFEST.read(path)
        return run

    @property
    def manifest(self) -> Manifest:
        """run.json as it is on disk."""
        return MANIFEST.read(self.path)

    def write(self, manifest: Manifest) -> None:
        """Write run.json."""
        MANIFEST.write(self.path, manifest)

    @property
    def settings(self) -> SearchConfig:
        """The settings as they were asked for, before those that depend on the data were filled in."""
        return self.manifest.settings

    def begin(self) -> None:
        """Note that a process works on the run."""
        self.write(self.manifest.model_copy(update={"status": "running", "ended": None}))

    def end(self, status: Status) -> None:
        """Note how that ended."""
        self.write(self.manifest.model_copy(update={"status": status, "ended": now()}))

    def keep_seconds(self, stage: Stage, seconds: float) -> None:
        """Note the device seconds of a stage."""
        manifest = self.manifest
        self.write(manifest.model_copy(update={"stages": {**manifest.stages, stage: seconds}}))

    def keep_soft_labels(self, labels: SoftLabelSet) -> None:
        """Note which soft labels the run trains with."""
        self.write(self.manifest.model_copy(update={"soft_label_set": labels}))

    def keep_looks(self, looks: Sequence[int]) -> None:
        """Note the seeds at each look at the test images."""
        self.write(self.manifest.model_copy(update={"looks": tuple(looks)}))

    def keep_checksums(self, *paths: Path, instead_of: str | None = None) -> None:
        """Note what these files of the run hold, instead of what is known of all whose names begin so."""
        manifest = self.manifest
        known = manifest.checksums
        if instead_of is not None:
            known = {name: kept for name, kept in known.items() if not name.startswith(instead_of)}
        self.write(manifest.model_copy(update={"checksums": {**known, **checksums(self.path, paths)}}))

    @contextmanager
    def rewriting(self, *paths: Path) -> Iterator[None]:
        """Files of the run that are written anew in this block: a kill in it leaves no checksum of what they held."""
        manifest, changing = self.manifest, {path.relative_to(self.path).as_posix() for path in paths}
        known = {name: kept for name, kept in manifest.checksums.items() if name not in changing}
        if known != manifest.checksums:
            self.write(manifest.model_copy(update={"checksums": known}))
        yield
        self.keep_checksums(*paths)

    def is_intact(self, *names: str) -> bool:
        """Whether these files are those that were noted."""
        known = self.manifest.checksums
        found = checksums(self.path, [self.path / name for name in names])
        return all(name in found and found[name] == known.get(name) for name in names)

    def check_files(self, *names: str) -> None:
        """Raises RunError where one of these files, or else any whose checksum is kept, is missing or was altered."""
        known = self.manifest.checksums
        check(self.path, {name: known[name] for name in names if name in known} if names else known)

    def write_config(self, config: SearchConfig) -> None:
        """config.toml: every setting that has a value."""
        settings = {key: value for key, value in json.loads(config.model_dump_json()).items() if value is not None}
        write_text(self.config_path, tomli_w.dumps(settings))

    @property
    def is_held(self) -> bool:
        """Whether a process works on the run now."""
        if not is_file(self.lock_path):
            return False
        with opened(self.lock_path, os.O_RDONLY) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for one controller; what a killed one has left half-written is removed.

        Raises RunError while another process holds it, and PathError where the folder holds links or anything else
        through which writing could reach beyond it.
        """
        with opened(self.lock_path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"{self.path} is in use by another autokd process; wait for it or stop it first"
                ) from None
            check_regular(self.path)
            sweep(self.path)
            yield

    def log(self, text: str) -> None:
        """Append one line to autokd.log."""
        with opened(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as log:
            write_all(log, self.log_path, f"{now()} {text}\n".encode())


def new_run_path(teacher: str, root: Path = Path("reports")) -> Path:
    """`reports/<teacher>-<date>-<id>`; `/` and other odd characters of a name become `_`."""
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in teacher)
    return root / f"{name}-{datetime.now().astimezone():%Y%m%d}-{secrets.token_hex(3)}"


def find_unfinished(config: SearchConfig, root: Path = Path("reports")) -> Path:
    """The newest unfinished run under `root` with these settings; raises RunError where there is none."""
    for path in sorted(root.glob(f"*/{MANIFEST.name}"), key=lambda p: p.stat().st_mtime, reverse=True):
        run = Run(path.parent)
        if run.manifest.status != "done" and not config.differs_from(run.settings):
            return run.path
    raise RunError(
        f"no unfinished run with these settings under {root}/; "
        f"name one with {named('output')}, or drop {set_to('resume', True)}"
    )
