"""What serving a model costs: readings, their file, the model that turns seconds into dollars, a prediction."""

from __future__ import annotations

from typing import Literal

from autokd.records.base import SCHEMA_VERSION, Interval, Latency, Record

RuntimeName = Literal["eager", "compile", "onnxruntime"]
RUNTIMES: dict[RuntimeName, str] = {
    "eager": "torch (eager)",
    "compile": "torch.compile",
    "onnxruntime": "ONNX Runtime",
}
Precision = Literal["fp32", "bf16", "fp16", "int8"]


class Reading(Record):
    """One model's serving cost: measured in turn with the teacher, predicted, or priced by its parameters."""

    model: str
    capacity_rps: float | None  # requests per second of one replica; None when priced by parameters
    capacity_interval: Interval | None = None  # of capacity_rps; None when priced by parameters
    latency_ms: Latency | None
    cost_usd_per_1k: Interval
    noisy: bool
    batch_size: int | None
    rounds: int
    alone_seconds: Interval | None = None  # of a request that is served alone; None when priced by parameters
    load_seconds: float | None = None  # from the model in memory, converted if need be, to its first answer
    peak_memory_bytes: int | None = None  # of weights and activations at the batch size
    energy_wh_per_1k: float | None = None  # of the GPU for 1,000 requests in full batches
    clock_mhz: float | None = None  # of the GPU meanwhile
    logit_difference: float | None = None  # from the model as it is trained, as a share of the largest logit
    predicted: bool = False  # from the sizes of measured models; the intervals are then those of the prediction


class Decoding(Record):
    """What one of the user's own pictures takes to become pixels."""

    milliseconds: float  # of one core
    cores: int  # of the machine


def form_words(runtime: RuntimeName, precision: Precision) -> str:
    """Such as `int8 in ONNX Runtime`."""
    return f"{precision} in {RUNTIMES[runtime]}"


class ServedForm(Record):
    """A model as it would be served in another runtime or precision than the run's."""

    runtime: RuntimeName
    precision: Precision
    reading: Reading
    val_accuracy: float
    test_accuracy: float

    @property
    def key(self) -> str:
        """The name of its outcomes among those of a model."""
        return f"{self.runtime}_{self.precision}"

    @property
    def words(self) -> str:
        """Such as `int8 in ONNX Runtime`."""
        return form_words(self.runtime, self.precision)


class StudentForms(Record):
    """A finalist in the forms that cost less than that of the run, with the weights of the seed that is exported."""

    finalist: int
    seed: int
    forms: tuple[ServedForm, ...]  # empty where no other form costs less

    def key(self, form: ServedForm) -> str:
        """The name of a form's outcomes in student_forms.npz."""
        return f"{self.finalist}_{self.seed}_{form.key}"


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


PriceOrigin = Literal[
    "table", "borrowed", "given"
]  # borrowed: of another machine than was measured; given: by the user


class Hardware(Record):
    """What speeds were measured on."""

    name: str  # as the processor or the accelerator reports itself
    cores: int | None  # that the process may use; None for an accelerator

    @property
    def label(self) -> str:
        """In words: `AMD EPYC, 2 cores`, `NVIDIA L4`."""
        return self.name if self.cores is None else f"{self.name}, {self.cores} core{'s' if self.cores > 1 else ''}"


class PriceRange(Record):
    """US dollars an hour that machines of one kind and size cost in the price table."""

    low: float
    high: float


class HourlyPrice(Record):
    """What an hour of one replica's accelerator, or of its machine without one, costs."""

    price_usd_per_hour: float
    price_origin: PriceOrigin = "table"
    price_source: str
    price_date: str  # ISO 8601; `undated` where the user gave the price
    instance: str  # that is priced; the hardware at hand where the user gave a price
    price_range: PriceRange | None = None  # of a borrowed price: what the right one may be


class PayPerUse(Record):
    """Billing by the time that a request takes, without replicas: serverless functions and containers."""

    usd_per_second: float
    usd_per_request: float = 0.0
    increment_ms: float = 1.0  # billed time is rounded up to a multiple of it
    minimum_ms: float = 0.0  # that is billed at least


class CostModel(HourlyPrice):
    """How seconds become dollars."""

    model: Literal["measured", "params"]
    usd_per_1k_per_billion: float = 0.10
    measured_on: Hardware | None = None
    measured_elsewhere: bool = False  # by `autokd measure`, and read from its file
    teacher_price: HourlyPrice | None = None  # where the teacher is served on another machine than a student would be
    pay_per_use: PayPerUse | None = None  # instead of replicas
    train_price_usd_per_hour: float
    utilization: float = 0.3
    accelerators_per_replica: int = 1
    requests_per_month: float | None = None
    min_replicas: int = 1
    peak_to_mean: float = 3.0
    target_utilization: float = 0.7
    device: str
    runtime: RuntimeName | None = None  # None: not chosen yet, and never where parameters are priced
    precision: Precision = "fp32"
    batch_size: int | None = None  # None: every model has its own, see Reading
    threads: int | None = None  # of the processor that answer a request; None where a GPU does
    image_size: int

    @property
    def for_teacher(self) -> CostModel:
        """The same at the price of the teacher's machine."""
        if self.teacher_price is None:
            return self
        return self.model_copy(update={**dict(self.teacher_price), "teacher_price": None})

    @property
    def has_load(self) -> bool:
        """Whether costs depend on how busy replicas are."""
        return self.model == "measured" and self.pay_per_use is None


class MeasuredCosts(Record):
    """The file of `autokd measure`: readings of models on the host that serves them."""

    schema_version: int = SCHEMA_VERSION
    created: str  # ISO 8601
    versions: dict[str, str]
    hardware: dict[str, str]
    classes: int  # of all models
    reference: str  # the model that all others were timed in turn with
    reference_size: int  # pixels a side of its images; `cost_model` has those of the others
    max_latency_ms: float | None  # that capacities are for
    cost_model: CostModel
    readings: dict[str, Reading]  # by the name of the model

    def reading(self, name: str) -> Reading | None:
        """Of a model by its name, whatever weights the name asks for: speed does not depend on them."""
        found = next((r for known, r in self.readings.items() if architecture(known) == architecture(name)), None)
        return found.model_copy(update={"model": name}) if found else None

    def size_of(self, name: str) -> int:
        """Pixels a side of the images that a model was measured with."""
        is_reference = architecture(name) == architecture(self.reference)
        return self.reference_size if is_reference else self.cost_model.image_size


def architecture(name: str) -> str:
    """A student's name without the tag of its weights: `resnet18@width=0.5` of `resnet18.a1_in1k@width=0.5`."""
    model, mark, settings = name.partition("@")
    return model.partition(".")[0] + mark + settings
