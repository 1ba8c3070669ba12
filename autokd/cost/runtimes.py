"""The serving runtimes, eager and compiled: load a model as a server would, and time its passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from autokd.cost.timing_stats import percentile
from autokd.errors import ConfigError, UsageError
from autokd.memory import is_memory
from autokd.naming import named, set_to
from autokd.private_interfaces import raise_recompile_limits
from autokd.progress import Listener
from autokd.records import CostModel

WARM_UP = {"cpu": 2, "cuda": 5}
PASSES = 5  # of a smaller batch
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Builder = Callable[[], nn.Module]


class _DoesNotFit(ConfigError):
    """A model and its batch need more memory than there is left."""


@dataclass
class Timed:
    """A loaded model and the seconds of its passes at the serving batch size."""

    name: str
    run: Callable[[int], float]  # seconds of one pass at a batch size
    batch: int
    by_batch: dict[int, float] = field(default_factory=dict)  # median seconds of smaller batches
    seconds: list[float] = field(default_factory=list)

    def block(self, passes: int) -> float:
        """Mean seconds of some passes at the serving batch size."""
        taken = [self.run(self.batch) for _ in range(passes)]
        self.seconds.extend(taken)
        return sum(taken) / max(passes, 1)

    def drop(self) -> None:
        """Release the model; its timings stay."""
        self.run = _dropped


class Bench:
    """The serving device, runtime and precision; loads models so that they can be timed."""

    def __init__(self, model: CostModel, with_sizes: bool) -> None:
        self._device = torch.device(model.device)
        self._runtime = model.runtime
        self._precision = model.precision
        self._batch = model.batch_size
        self._inputs = self._made(model.image_size)
        self._sizes = batch_sizes(model.batch_size) if with_sizes else sorted({1, model.batch_size})
        if self._runtime == "compile":
            raise_recompile_limits()  # every model compiles the same forward functions again, for each batch size

    def load_all(self, names: list[str], models: Mapping[str, Builder], listener: Listener) -> tuple[list[Timed], int]:
        """Load students until the memory is full; returns them, and how many of the names are done with.

        A student that cannot run here is named to the listener.
        """
        loaded: list[Timed] = []
        for done, name in enumerate(names):
            try:
                loaded.append(self.load(name, models[name]))
            except UsageError as error:
                if loaded and isinstance(error, _DoesNotFit):
                    return loaded, done  # it may fit when the others are gone
                listener.note(str(error))
        return loaded, len(names)

    def load(self, name: str, builder: Builder, image_size: int | None = None) -> Timed:
        """Build, place, compile and warm up a model; raises ConfigError if it cannot run here.

        image_size: of this model, where it is not that of the cost model.
        """
        inputs = self._inputs if image_size in (None, self._inputs.shape[-1]) else self._made(image_size)
        built = builder().eval()
        try:
            placed = built.to(self._device, PRECISIONS[self._precision]).to(memory_format=torch.channels_last)
            forward = torch.compile(placed, dynamic=False) if self._runtime == "compile" else placed
            timed = Timed(name, lambda size: self._seconds(forward, inputs[:size]), self._batch)
            for _ in range(WARM_UP.get(self._device.type, 2)):
                timed.run(self._batch)
            for size in self._sizes:
                timed.run(size)
                timed.by_batch[size] = percentile([timed.run(size) for _ in range(PASSES)], 50)
        except (RuntimeError, TypeError, ValueError, AssertionError, MemoryError) as error:
            if is_memory(error):
                raise _DoesNotFit(
                    f"{name} with {set_to('serve_batch_size', self._batch)} does not fit into the memory of "
                    f"{self._device}; give a smaller {named('serve_batch_size')}"
                ) from error
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"{name} cannot be served with {set_to('serve_runtime', self._runtime)} and "
                f"{set_to('serve_precision', self._precision)} on {self._device} ({line}); choose eager and fp32"
            ) from error
        return timed

    def _seconds(self, forward: Callable[[torch.Tensor], object], inputs: torch.Tensor) -> float:
        with torch.inference_mode():
            start = time.perf_counter()
            forward(inputs)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            return time.perf_counter() - start

    def _made(self, image_size: int) -> torch.Tensor:
        shape = (self._batch, 3, image_size, image_size)
        inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        moved = inputs.to(self._device, PRECISIONS[self._precision])
        return moved.to(memory_format=torch.channels_last)


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
