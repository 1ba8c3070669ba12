"""What the costs of a report assume, in one sentence, and a remark where price and speed are of different machines."""

from __future__ import annotations

from collections.abc import Iterator

from autokd.cost.dollars import replicas
from autokd.cost.with_decoding import capacity_with_decoding
from autokd.records import CostModel, Option, Report
from autokd.report import format as fmt


def assumptions(report: Report) -> str:
    """Price with its source and date, and utilization, or with a volume the fleet: all that the costs depend on."""
    model = report.cost_model
    parts = _by_parameters(model) if model.model == "params" else _measured(report)
    return f"Costs assume {'; '.join(parts)}."


def short_assumptions(report: Report) -> str:
    """Price with its date, and utilization or volume."""
    model = report.cost_model
    if model.model == "params":
        return f"{fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests and billion parameters."
    of = "as given" if model.price_origin == "given" else f"{model.instance}, {model.price_date}"
    volume = model.requests_per_month
    load = f"{fmt.share(model.utilization)} utilized" if volume is None else f"{fmt.large(volume)} requests a month"
    return f"{fmt.usd(model.price_usd_per_hour)} an hour ({of}), {load}."


def price(model: CostModel) -> str:
    """Dollars an hour, of what, and where the figure is from."""
    amount = f"{fmt.usd(model.price_usd_per_hour)} an hour"
    if model.price_origin == "given":
        return f"{amount} (as given)"
    return f"{amount} for {model.instance} ({model.price_source}, {model.price_date})"


def other_machine(report: Report) -> str | None:
    """What has to be known where an instance is priced at the speed of another; None where it is not."""
    model = report.cost_model
    if model.model == "params" or model.measured_on is None:
        return None
    return (
        f"The price is of {model.instance}, but the speeds were measured on {model.measured_on}. The costs are right "
        "only if both are equally fast."
    )


def decoding(report: Report) -> str | None:
    """What decoding the images on the serving machine would leave of the factor; None where it was not measured."""
    told, options, model = report.decoding, report.options, report.cost_model
    if told is None or model.model == "params":
        return None
    begun = f"Decoding and resizing one of your images takes {told.milliseconds:.3g} ms of one core, not counted here"
    teacher, student = options.teacher, options.recommended(report.verdict) or options.direct or options.distilled
    if student is None or not (teacher.capacity_rps and student.capacity_rps):
        return f"{begun}."
    slow, fast = (capacity_with_decoding(rps, told, model) for rps in (teacher.capacity_rps, student.capacity_rps))
    return (
        f"{begun}. With it on the same {told.cores} cores, {teacher.student} would serve {slow:.3g} instead of "
        f"{teacher.capacity_rps:.3g} requests a second and {student.student} {fast:.3g} instead of "
        f"{student.capacity_rps:.3g}: {fast / slow:.1f} times as many, not "
        f"{student.capacity_rps / teacher.capacity_rps:.1f}."
    )


def _by_parameters(model: CostModel) -> Iterator[str]:
    yield f"{fmt.usd(model.usd_per_1k_per_billion)} per 1,000 requests per billion parameters, whatever serves them"
    if model.requests_per_month is not None:
        yield f"{fmt.count(model.requests_per_month)} requests a month"
    yield _training(model)


def _measured(report: Report) -> Iterator[str]:
    model = report.cost_model
    several = model.accelerators_per_replica
    yield price(model) + (f", {several} of them per replica" if several > 1 else "")
    if model.requests_per_month is None:
        yield f"utilization {model.utilization:g}"
    else:
        yield (
            f"{fmt.count(model.requests_per_month)} requests a month with a peak of {model.peak_to_mean:g} times the "
            f"mean, replicas at most {fmt.share(model.target_utilization)} busy then, at least {model.min_replicas}"
        )
        yield f"replicas: {', '.join(_fleet(report))}"
    yield f"speeds as measured on {model.device}"
    yield _training(model)


def _fleet(report: Report) -> Iterator[str]:
    """How many replicas each option needs; one without a capacity needs no end of them."""
    options = report.options
    named = (("teacher", options.teacher), ("direct", options.direct), ("distilled", options.distilled))
    for name, option in named:
        if option is not None:
            yield f"{name} {_replicas(option, report.cost_model)}"


def _replicas(option: Option, model: CostModel) -> str:
    return fmt.count(replicas(option.capacity_rps, model)) if option.capacity_rps else fmt.NOTHING


def _training(model: CostModel) -> str:
    return f"training {fmt.usd(model.train_price_usd_per_hour)} an hour"
