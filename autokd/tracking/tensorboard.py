"""TensorBoard: event files in the run folder, one TensorBoard run for each training, and one for the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.tracking.protocol import End

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
FLUSH_SECONDS = 10


class TensorBoard:
    """See Tracker. A training's settings and last metrics are shown under HPARAMS once it is over."""

    def __init__(self, run: Path) -> None:
        self._folder = run / FOLDER
        self._writers: dict[str | None, SummaryWriter] = {}
        self._settings: dict[str, Mapping[str, object]] = {}
        self._last: dict[str, dict[str, float]] = {}

    def settings(self, training: str | None, values: Mapping[str, object]) -> None:
        """See Tracker."""
        if training is None:
            rows = "\n".join(f"| {name} | {value} |" for name, value in values.items())
            self.text("settings", f"| setting | value |\n|---|---|\n{rows}")
        else:
            self._settings[training] = values

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        """See Tracker."""
        writer = self._writer(training)
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        if training is not None:
            self._last.setdefault(training, {}).update(values)

    def text(self, name: str, text: str) -> None:
        """See Tracker."""
        self._writer(None).add_text(name, text)

    def files(self, paths: Sequence[Path]) -> None:
        """See Tracker; TensorBoard keeps no files, so it says where they are."""
        self.text("files", "\n".join(f"- {path}" for path in paths))

    def end(self, training: str | None, how: End) -> None:
        """See Tracker."""
        if training is None:
            for writer in self._writers.values():
                writer.close()
            self._writers.clear()
            return
        settings, last = self._settings.pop(training, {}), self._last.pop(training, {})
        if training not in self._writers:
            return
        writer = self._writers.pop(training)
        if how != "failed" and settings and last:
            plain = {name: value if isinstance(value, (int, float)) else str(value) for name, value in settings.items()}
            writer.add_hparams(plain, {f"hparam/{name}": value for name, value in last.items()}, run_name=".")
        writer.close()

    def _writer(self, training: str | None) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        if training not in self._writers:
            folder = self._folder / (training or "search")
            self._writers[training] = SummaryWriter(str(folder), flush_secs=FLUSH_SECONDS)
        return self._writers[training]
