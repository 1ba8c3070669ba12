"""The run folder: layout, manifest, lock and log. The record of a run is its folder."""

from __future__ import annotations

import fcntl
import json
import math
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w

from autokd.config import SearchConfig
from autokd.errors import RunError
from autokd.files import read_json, write_text
from autokd.machine import hardware, now, versions
from autokd.records import SCHEMA_VERSION


class Run:
    """One run folder. Paths are properties; everything written goes through atomic replacement."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def manifest_path(self) -> Path:
        """run.json"""
        return self.path / "run.json"

    @property
    def study_path(self) -> Path:
        """The ledger, an SQLite file."""
        return self.path / "study.db"

    @property
    def log_path(self) -> Path:
        """autokd.log"""
        return self.path / "autokd.log"

    @property
    def evidence_path(self) -> Path:
        """Labels, split indices and teacher logits."""
        return self.path / "evidence.npz"

    @property
    def report_path(self) -> Path:
        """report.json"""
        return self.path / "report.json"

    @property
    def student_path(self) -> Path:
        """Folder of the recommended student."""
        return self.path / "student"

    def trial_path(self, number: int) -> Path:
        """Folder of a trial."""
        return self.path / "trials" / str(number)

    def finalist_path(self, number: int, seed: int) -> Path:
        """Folder of one training of a finalist."""
        return self.path / "finalists" / str(number) / str(seed)

    # ---- life ------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: Path, config: SearchConfig, command: str | None = None) -> Run:
        """Begin a run in a folder that is absent or empty.

        Raises RunError where the folder holds anything.
        """
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file, not a folder; choose another --output")
        if (path / "run.json").exists():
            raise RunError(f"{path} already holds a run; add --resume to go on with it, or choose another --output")
        if path.exists() and any(path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run; choose another --output")
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path)
        run.write_json(
            run.manifest_path,
            {
                "schema_version": SCHEMA_VERSION,
                "id": path.name,
                "status": "running",
                "started": now(),
                "ended": None,
                "seed": config.seed,
                "command": command or shlex.join(["autokd", *sys.argv[1:]]),
                "settings": json.loads(config.model_dump_json()),
                "versions": versions(),
                "hardware": hardware(),
            },
        )
        run.write_config(config)
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """An existing run; raises RunError where there is none, or one of a newer schema."""
        run = cls(path)
        if not run.manifest_path.is_file():
            raise RunError(f"{path} holds no run (there is no run.json); name the folder that `autokd search` printed")
        found = run.manifest.get("schema_version")
        if not isinstance(found, int) or found > SCHEMA_VERSION:
            raise RunError(f"{path} was written by a newer autokd (schema {found}); update autokd to read it")
        return run

    @property
    def manifest(self) -> dict[str, Any]:
        """run.json as it is on disk."""
        content = read_json(self.manifest_path)
        if not isinstance(content, dict):
            raise RunError(f"{self.manifest_path} is damaged; start the search again in another --output")
        return content

    @property
    def settings(self) -> SearchConfig:
        """The settings as they were asked for, before those that depend on the data were filled in."""
        return SearchConfig.of(**self.manifest["settings"])

    def update(self, **fields: Any) -> None:
        """Change fields of run.json."""
        self.write_json(self.manifest_path, {**self.manifest, **fields})

    def write_config(self, config: SearchConfig) -> None:
        """config.toml: every setting that has a value."""
        settings = {key: value for key, value in json.loads(config.model_dump_json()).items() if value is not None}
        write_text(self.path / "config.toml", tomli_w.dumps(settings))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for one controller; raises RunError while another process holds it."""
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(
                    f"{self.path} is in use by another autokd process; wait for it or stop it first"
                ) from None
            yield

    # ---- content ---------------------------------------------------------------------------------------------

    def write_json(self, path: Path, content: Any) -> None:
        """Write JSON atomically; numbers that JSON cannot say become null."""
        write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False, default=str) + "\n")

    def log(self, text: str) -> None:
        """Append one line to autokd.log."""
        with self.log_path.open("a", encoding="utf-8") as file:
            file.write(f"{now()} {text}\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def new_run_path(teacher: str, root: Path = Path("reports")) -> Path:
    """`reports/<teacher>-<date>-<id>`; `/` and other odd characters of a name become `_`."""
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in teacher)
    return root / f"{name}-{datetime.now().astimezone():%Y%m%d}-{secrets.token_hex(3)}"


def find_unfinished(config: SearchConfig, root: Path = Path("reports")) -> Path:
    """The newest unfinished run under `root` with these settings; raises RunError where there is none."""
    for manifest in sorted(root.glob("*/run.json"), key=lambda p: p.stat().st_mtime, reverse=True):
        run = Run(manifest.parent)
        if run.manifest.get("status") != "done" and not config.differs_from(run.settings):
            return run.path
    raise RunError(f"no unfinished run with these settings under {root}/; name one with --output DIR, or drop --resume")
