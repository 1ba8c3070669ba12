"""An ONNX model in int8, quantised after training: weights by channel, activations by what calibration images show."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from autokd.zoo.onnx_model import INPUT

if TYPE_CHECKING:
    import onnx

BATCH = 16  # calibration images at a time


def quantised(model: onnx.ModelProto, images: np.ndarray[Any, Any], reduce_range: bool = True) -> bytes:
    """The model with int8 weights and activations (QDQ format), serialised.

    images: fp32 [n, 3, height, width], normalised; ranges of activations are the smallest and largest values seen.
    reduce_range: weights use 7 of their 8 bits. Without VNNI, x86 CPUs add two products of 8 bits in 16, which
    overflow and cost points of accuracy (benchmarks/bench_int8.py); wherever a file is made, it may be served there.
    Raises RuntimeError for a model that cannot be quantised.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # onnxruntime's remarks on how it might be called instead
    try:
        with TemporaryDirectory() as folder:
            whole, prepared, written = (Path(folder) / f"{name}.onnx" for name in ("whole", "prepared", "int8"))
            onnx.save(model, str(whole))
            quant_pre_process(str(whole), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(written),
                _Calibration(images),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=reduce_range,
            )
            return written.read_bytes()
    except Exception as error:
        raise RuntimeError(f"quantisation failed: {error}") from error
    finally:
        logging.root.setLevel(level)


class _Calibration:
    """What onnxruntime calls a CalibrationDataReader."""

    def __init__(self, images: np.ndarray[Any, Any]) -> None:
        self._batches: Iterator[np.ndarray[Any, Any]] = iter(
            [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        )

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
