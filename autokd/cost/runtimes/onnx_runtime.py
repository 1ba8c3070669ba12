"""ONNX Runtime on CPUs: a model converted to ONNX, in fp32 or int8."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from autokd.cost.runtimes.int8 import quantised
from autokd.machine import Stopwatch
from autokd.records import Precision
from autokd.zoo.onnx_model import INPUT, convert


class OnnxRuntime:
    """See Runtime. It uses as many threads as torch does."""

    def __init__(self, precision: Precision) -> None:
        self._precision = precision

    def convert(self, model: nn.Module, images: torch.Tensor) -> bytes:
        """See Runtime."""
        whole = convert(model, images.shape[-1])
        return quantised(whole, images.numpy()) if self._precision == "int8" else whole.SerializeToString()

    def load(self, converted: bytes, images: torch.Tensor) -> OnnxLoaded:
        """See Runtime."""
        watch = Stopwatch()
        return OnnxLoaded(session(converted), images.numpy(), watch.seconds)


class OnnxLoaded:
    """See Loaded."""

    def __init__(self, session: Any, images: np.ndarray[Any, Any], load_seconds: float) -> None:
        self._session, self._images, self.load_seconds = session, images, load_seconds

    def seconds(self, batch: int) -> float:
        """See Loaded."""
        start = time.perf_counter()
        self._run(batch)
        return time.perf_counter() - start

    def logits(self, batch: int) -> torch.Tensor:
        """See Loaded."""
        return torch.from_numpy(self._run(batch))

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """See Loaded."""
        return torch.from_numpy(self._run_on(images.numpy()))

    def _run(self, batch: int) -> np.ndarray[Any, Any]:
        return self._run_on(self._images[:batch])

    def _run_on(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        try:
            return self._session.run(None, {INPUT: images})[0]  # type: ignore[no-any-return]
        except Exception as error:
            raise RuntimeError(str(error)) from error


def session(model: bytes) -> Any:
    """An onnxruntime.InferenceSession; raises RuntimeError for a model that it cannot load."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    # Within a request threads wait for each other busily, as in a server with default settings. If they also waited
    # so for the next request, they would slow down the model that is timed in turn with this one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise RuntimeError(str(error)) from error
