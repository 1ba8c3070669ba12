"""What serving a model costs: one reading, the model that turns seconds into dollars, a prediction."""

from __future__ import annotations

from typing import Literal

from autokd.records.base import Interval, Latency, Record

RuntimeName = Literal["eager", "compile", "onnxruntime"]
RUNTIMES: dict[RuntimeName, str] = {
    "eager": "torch (eager)",
    "compile": "torch.compile",
    "onnxruntime": "ONNX Runtime",
}


class Reading(Record):
    """One model's serving cost: measured in turn with the teacher, or priced by its parameters."""

    model: str
    capacity_rps: float | None  # requests per second of one replica; None when priced by parameters
    capacity_interval: Interval | None = None  # of capacity_rps; None when priced by parameters
    latency_ms: Latency | None
    cost_usd_per_1k: Interval
    noisy: bool
    batch_size: int | None
    rounds: int
    load_seconds: float | None = None  # from the model in memory, converted if need be, to its first answer
    peak_memory_bytes: int | None = None  # of weights and activations at the batch size
    logit_difference: float | None = None  # from the model as it is trained, as a share of the largest logit


class CostPrediction(Record):
    """How a long list was thinned by predicted cost; errors are shares of the predicted cost."""

    fitted_on: int  # students that were measured first
    median_error: float  # of these, each predicted from all others
    largest_error: float
    margin: float  # above the budget by more than this share: refused without being measured
    refused: int
    checked_on: int  # students that were measured afterwards
    checked_median_error: float | None
    checked_largest_error: float | None


class CostModel(Record):
    """How seconds become dollars."""

    model: Literal["measured", "params"]
    usd_per_1k_per_billion: float = 0.10
    price_usd_per_hour: float
    price_origin: Literal["table", "given"] = "table"  # given: by the user
    price_source: str
    price_date: str
    instance: str  # that is priced; the hardware at hand where the user gave a price
    measured_on: str | None = None  # the instance whose speeds are priced, where it is another
    train_price_usd_per_hour: float
    utilization: float = 0.3
    accelerators_per_replica: int = 1
    requests_per_month: float | None = None
    min_replicas: int = 1
    peak_to_mean: float = 3.0
    target_utilization: float = 0.7
    device: str
    runtime: RuntimeName | None = None  # None: not chosen yet, and never where parameters are priced
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    batch_size: int | None = None  # None: every model has its own, see Reading
    threads: int | None = None  # of the processor that answer a request; None where a GPU does
    image_size: int
