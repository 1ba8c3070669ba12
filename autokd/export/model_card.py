"""The model card of an exported student."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.formatting import level, percent, usd
from autokd.records import RUNTIMES, CostModel, Decision, FinalistRecord, FinalistSummary, Report, Task, Teacher

LOAD_TIMM = """\
import timm
from PIL import ImageOps
model = timm.create_model("local-dir:PATH/TO/THIS/FOLDER", pretrained=True).eval()
model = timm.utils.reparameterize_model(model)  # merges what only training needs: the same answers, faster
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
if image.mode.startswith("I;16"):  # 16 bits a pixel, as in training
    image = image.point(lambda value: value / 256).convert("L")
inputs = transform(ImageOps.exif_transpose(image).convert("RGB")).unsqueeze(0)  # upright, as in training
logits = model(inputs)
"""
LOAD_ONNX = """\
import json
import numpy as np
import onnxruntime
from PIL import Image, ImageOps
session = onnxruntime.InferenceSession("PATH/TO/THIS/FOLDER/model.onnx", providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
size, resized = int(about["image_size"]), int(about["resized"])
if image.mode.startswith("I;16"):  # 16 bits a pixel, as in training
    image = image.point(lambda value: value / 256).convert("L")
image = ImageOps.exif_transpose(image).convert("RGB")  # upright, as in training
shape = [int(resized * side / min(image.size)) for side in image.size]
image = image.resize(shape, Image.Resampling[about["interpolation"].upper()])
left, top = (round((side - size) / 2) for side in image.size)
pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
inputs = ((pixels - json.loads(about["mean"])) / json.loads(about["std"])).transpose(2, 0, 1)[None].astype(np.float32)
(logits,) = session.run(None, {"images": inputs})  # any number of images
answer = json.loads(about["classes"])[logits[0].argmax()]
"""
LOAD = {"timm": LOAD_TIMM, "onnx": LOAD_ONNX}


@dataclass(frozen=True)
class Card:
    """What a model card tells of."""

    decision: Decision | Report
    finalist: FinalistRecord
    task: Task
    teacher: Teacher
    cost_model: CostModel
    more: tuple[tuple[str, str], ...] = ()  # rows of its table, name and value

    @property
    def summary(self) -> FinalistSummary:
        """The finalist with its intervals."""
        return next(one for one in self.decision.finalists if one.number == self.finalist.number)


def model_card(card: Card, kind: str = "timm") -> str:
    """Markdown: what it is, how it was trained, how good it is, what it costs, how to load it as `timm` or `onnx`."""
    finalist, task = card.finalist, card.task
    recipe, shipped = finalist.recipe, finalist.shipped
    training = f"{recipe.epochs} epochs, learning rate {recipe.learning_rate:.3g}, batch {recipe.batch_size}"
    seed = f"{shipped.seed}, the best of {len(finalist.seeds)} on validation"
    start = "random weights" if finalist.weights is None else finalist.weights.source
    more = "".join(f"| {name} | {value} |\n" for name, value in card.more)
    licence = "none" if finalist.weights is None else finalist.weights.licence or "not known"
    return f"""---
library_name: {kind}
tags:
- image-classification
- {kind}
---
# {finalist.student}, {_how(finalist)}

{_verdict(card)}

| | |
|---|---|
| data | {task.data}, {len(task.classes)} classes, {task.training_images}, {task.test:,} test images |
| input | RGB, {task.transform.image_size} x {task.transform.image_size} px |
| teacher | {card.teacher.name} ({card.teacher.weights}), test accuracy {percent(card.teacher.test_accuracy, 2)} |
| parameters | {finalist.parameters:,} ({finalist.ratio:.1f}x fewer than the teacher) |
| starts from | {start} |
| licence of these weights | {licence} |
| training | {training if recipe.epochs else "none"} |
| seed | {seed if recipe.epochs else "none"} |
| test accuracy of these weights | {percent(shipped.test_accuracy, 2)} |
| test accuracy over all seeds | {_accuracy(card.summary)} |
| cost | {_cost(card)} |
{more}
```python
{LOAD[kind]}```
"""


def _how(finalist: FinalistRecord) -> str:
    recipe = finalist.recipe
    if finalist.arm == "distill":
        return f"distilled (T {recipe.temperature:.3g}, alpha {recipe.alpha:.3g}, loss {recipe.loss})"
    return "trained directly on the labels" if recipe.epochs else "used as it is"


def _verdict(card: Card) -> str:
    chosen = card.decision.options.recommended(card.decision.verdict)
    if chosen is not None and chosen.finalist == card.finalist.number:
        return card.decision.summary
    return f"The search recommends another model than this one: {card.decision.summary}"


def _accuracy(summary: FinalistSummary) -> str:
    found = summary.accuracy
    seeds = f"{found.seeds} seed{'s' if found.seeds > 1 else ''}"
    ends = f"{percent(found.low, 2)} to {percent(found.high, 2)}"
    return f"{percent(found.mean, 2)}, {level(found.level)} interval {ends} ({seeds})"


def _cost(card: Card) -> str:
    cost, model = card.finalist.reading.cost_usd_per_1k, card.cost_model
    told = f"{usd(cost.mean)} per 1,000 requests ({usd(cost.low)} to {usd(cost.high)})"
    if model.model == "params":
        return f"{usd(cost.mean)} per 1,000 requests, priced by parameters"
    served = RUNTIMES[model.runtime] if model.runtime else "an unknown runtime"
    return f"{told}, {served}, {model.precision}, batch of {card.finalist.reading.batch_size}, on {model.instance}"
