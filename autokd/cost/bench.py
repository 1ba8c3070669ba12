"""The bench on which models are timed: loads them into the serving runtime and finds their batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import isnan

import torch
from torch import nn

from autokd.cost.gpu_power import Drawn
from autokd.cost.runtimes.conversions import FEWEST, Conversions
from autokd.cost.runtimes.onnx_runtime import OnnxRuntime
from autokd.cost.runtimes.open import open_runtime
from autokd.cost.runtimes.protocol import FAILURES, Loaded
from autokd.errors import ConfigError, UsageError
from autokd.formatting import first_line
from autokd.machine import Stopwatch
from autokd.memory import is_memory
from autokd.naming import named, set_to
from autokd.progress import Listener
from autokd.records import CostModel
from autokd.zoo.batch_norms import largest_difference
from autokd.zoo.served_form import served_form

WARM_UP = {"cpu": 1, "cuda": 4}  # passes at every batch size
LARGEST_BATCH = {"cpu": 32, "cuda": 256}  # that a sweep tries
NEAR_BEST = 0.10  # the smallest batch whose throughput is within this share of the best is served
GAIN = 0.02  # of throughput, below which a larger batch has brought nothing
SWEEP_SECONDS = 3.0  # of one model, after which no larger batch is tried
SWEEP_PASSES = (3, 9)  # at every batch size: at least, and at most where they take less than ENOUGH seconds together
ENOUGH = 0.1
CHECKED = 2  # images whose logits are compared with those of the trained form
ALIKE = 1e-3  # logits that differ by more of the largest one are not those of the model, in fp32 on a CPU
Builder = Callable[[], nn.Module]  # of a model as it is trained


class _DoesNotFit(ConfigError):
    """A model and its batch need more memory than there is left."""


@dataclass
class _Built:
    """A model before it is loaded."""

    images: torch.Tensor
    trained: torch.Tensor  # logits of the first images, as it is trained
    served: nn.Module
    converted: object | None = None  # None: not yet


@dataclass
class Timed:
    """A loaded model and the seconds of its passes at the batch size that it is served with."""

    name: str
    run: Callable[[int], float]  # seconds of one pass at a batch size
    batch: int
    by_batch: dict[int, float] = field(default_factory=dict)  # seconds of a pass at sizes up to that one
    seconds: list[float] = field(default_factory=list)
    load_seconds: float | None = None
    peak_memory_bytes: int | None = None
    logit_difference: float | None = None
    drawn: Drawn | None = None

    def block(self, passes: int) -> float:
        """Mean seconds an image over some passes at the batch size."""
        taken = [self.run(self.batch) for _ in range(passes)]
        self.seconds.extend(taken)
        return sum(taken) / max(passes, 1) / self.batch

    def drop(self) -> None:
        """Release the model; its timings stay."""
        self.run = _dropped


class Bench:
    """The serving device, runtime and precision; loads models so that they can be timed.

    with_sizes: the times of smaller batches are needed too.
    """

    def __init__(self, model: CostModel, with_sizes: bool) -> None:
        self._model, self._runtime = model, open_runtime(model)
        self._kind = model.device.partition(":")[0]
        self._with_sizes = with_sizes
        self._conversions: Conversions | None = None
        self._ahead: dict[str, _Built] = {}
        self._largest = model.batch_size or LARGEST_BATCH.get(self._kind, LARGEST_BATCH["cpu"])
        self._made: dict[int, torch.Tensor] = {}

    def convert_side_by_side(self, models: int, processes: int) -> None:
        """Where so many models are to be loaded, their conversions run side by side, if that pays; until `close`."""
        if self._conversions is None and isinstance(self._runtime, OnnxRuntime) and processes > 1 and models >= FEWEST:
            self._conversions = Conversions(self._runtime, processes)

    def close(self) -> None:
        """End the processes."""
        if self._conversions:
            self._conversions.close()
        self._conversions, self._ahead = None, {}

    def load_all(self, names: list[str], models: Mapping[str, Builder], listener: Listener) -> tuple[list[Timed], int]:
        """Load students until the memory is full; returns them, and how many of the names are done with.

        A student that cannot run here is named to the listener.
        """
        loaded: list[Timed] = []
        self._convert_ahead(names, models)
        for done, name in enumerate(names):
            try:
                loaded.append(self.load(name, models[name]))
            except UsageError as error:
                if loaded and isinstance(error, _DoesNotFit):
                    return loaded, done  # it may fit when the others are gone
                listener.note(str(error))
        return loaded, len(names)

    def load(self, name: str, builder: Builder, image_size: int | None = None) -> Timed:
        """Build a model, bring it into its served form, load and warm it up; raises ConfigError if it cannot run here.

        image_size: of this model, where it is not that of the cost model.
        """
        first = self._model.batch_size or CHECKED
        before = self._allocated()
        try:
            built = self._ahead.pop(name, None) or self._build(builder, image_size)
            converted = built.converted or self._runtime.convert(built.served, built.images)
            loaded = self._runtime.load(converted, built.images)
            load_seconds = loaded.load_seconds + loaded.seconds(first)
            difference = self._checked(built.trained, loaded.logits(first)[:CHECKED])
            batch, by_batch = self._batch(loaded)
            peak = self._peak(loaded, batch, before)
        except FAILURES as error:
            raise self._refusal(name, error) from error
        return Timed(name, loaded.seconds, batch, by_batch, [], load_seconds, peak, difference)

    def _peak(self, loaded: Loaded, batch: int, before: int | None) -> int | None:
        """Bytes that the model and a pass of its batch take of the GPU, beside what was taken before it was loaded."""
        if before is None:
            return None
        torch.cuda.reset_peak_memory_stats(self._model.device)
        loaded.seconds(batch)
        return torch.cuda.max_memory_allocated(self._model.device) - before

    def _build(self, builder: Builder, image_size: int | None = None) -> _Built:
        images = self._images(image_size or self._model.image_size)
        built = builder().eval().to("cpu", torch.float32)
        with torch.inference_mode():
            trained = built(images[:CHECKED])
        return _Built(images, trained, served_form(built, images.shape[-1]))

    def _convert_ahead(self, names: list[str], models: Mapping[str, Builder]) -> None:
        """What fails here is tried again when it is loaded, and told then."""
        if self._conversions is None:
            return
        for name in names:
            if name not in self._ahead:
                with suppress(UsageError, *FAILURES):
                    self._ahead[name] = self._build(models[name])
        built = [one for one in self._ahead.values() if one.converted is None]
        for one, converted in zip(built, self._conversions.convert([(b.served, b.images) for b in built]), strict=True):
            one.converted = converted

    def _batch(self, loaded: Loaded) -> tuple[int, dict[int, float]]:
        """The batch size to serve with, and the seconds at the sizes up to it that were timed."""
        if (given := self._model.batch_size) is not None:
            self._warm_up(loaded, given)
            sizes = batch_sizes(given) if self._with_sizes else sorted({1, given})
            return given, {size: self._fastest(loaded, size) for size in sizes}
        by_batch = self._sweep(loaded)
        batch = smallest_near_best(by_batch)
        return batch, {size: seconds for size, seconds in by_batch.items() if size <= batch}

    def _sweep(self, loaded: Loaded) -> dict[int, float]:
        """Seconds at batch sizes that double, until two in a row bring nothing, or time or memory is up."""
        watch, by_batch = Stopwatch(), dict[int, float]()
        best, idle = 0.0, 0
        for size in batch_sizes(self._largest):
            try:
                by_batch[size] = self._fastest(loaded, size)
            except FAILURES as error:
                if by_batch and is_memory(error):
                    break
                raise
            throughput = size / by_batch[size]
            idle = 0 if throughput > best * (1 + GAIN) else idle + 1
            best = max(best, throughput)
            if idle == 2 or watch.seconds > SWEEP_SECONDS:
                break
        return by_batch

    def _warm_up(self, loaded: Loaded, size: int) -> None:
        for _ in range(WARM_UP.get(self._kind, 1)):
            loaded.seconds(size)

    def _fastest(self, loaded: Loaded, size: int) -> float:
        """Seconds of the fastest of some passes: of so few, other work on the machine would change the median."""
        self._warm_up(loaded, size)
        least, most = SWEEP_PASSES
        taken: list[float] = []
        while len(taken) < least or (len(taken) < most and sum(taken) < ENOUGH):
            taken.append(loaded.seconds(size))
        return min(taken)

    def _checked(self, trained: torch.Tensor, served: torch.Tensor) -> float | None:
        """How far the logits are apart; raises RuntimeError where they are those of another model.

        A GPU may round fp32 to 10 bits in convolutions (TF32), so there the difference is only told.
        """
        if not isinstance(trained, torch.Tensor) or trained.shape != served.shape:
            return None
        difference = largest_difference(trained, served)
        if isnan(difference) and not trained.isnan().any():
            raise RuntimeError("its logits are no numbers, where those of the trained form are")
        if self._kind == "cpu" and self._model.precision == "fp32" and difference > ALIKE:
            raise RuntimeError(f"its logits differ by {difference:.1%} of the largest from those of the trained form")
        return difference

    def _images(self, size: int) -> torch.Tensor:
        """The largest batch of made-up images, `size` pixels a side."""
        if size not in self._made:
            shape = (self._largest, 3, size, size)
            self._made[size] = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return self._made[size]

    def _allocated(self) -> int | None:
        """Bytes that models already take of the GPU."""
        if self._kind != "cuda":
            return None
        return torch.cuda.memory_allocated(self._model.device)

    def _refusal(self, name: str, error: Exception) -> ConfigError:
        given, device = self._model.batch_size, self._model.device
        if is_memory(error):
            at = f" with {set_to('serve_batch_size', given)}" if given else ""
            return _DoesNotFit(
                f"{name}{at} does not fit into the memory of {device}; give a smaller {named('serve_batch_size')}"
            )
        line = first_line(error)
        return ConfigError(
            f"{name} cannot be served with {set_to('serve_runtime', self._model.runtime)} and "
            f"{set_to('serve_precision', self._model.precision)} on {device} ({line}); choose eager and fp32"
        )


def smallest_near_best(by_batch: Mapping[int, float]) -> int:
    """The smallest batch whose throughput is within 10 % of the best; by_batch: seconds of a pass by batch size."""
    best = max(size / seconds for size, seconds in by_batch.items())
    return min(size for size, seconds in by_batch.items() if size / seconds >= best * (1 - NEAR_BEST))


def batch_sizes(largest: int) -> list[int]:
    """1, 2, 4, ... and the largest itself."""
    sizes = []
    size = 1
    while size < largest:
        sizes.append(size)
        size *= 2
    return [*sizes, largest]


def _dropped(_: int) -> float:
    raise RuntimeError("a dropped model was timed again")
