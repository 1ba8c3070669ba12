"""The model card of an exported student."""

from __future__ import annotations

from autokd.records import Decision, FinalistRecord, SeedResult, Task


def model_card(decision: Decision, finalist: FinalistRecord, shipped: SeedResult, task: Task) -> str:
    """Markdown: what it is, how it was trained, how good it is, how to load it."""
    recipe = finalist.recipe
    if finalist.arm == "distill":
        how = f"distilled (T {recipe.temperature:.3g}, alpha {recipe.alpha:.3g}, loss {recipe.loss})"
    elif recipe.epochs:
        how = "trained directly on the labels"
    else:
        how = "used as it is"
    training = f"{recipe.epochs} epochs, learning rate {recipe.learning_rate:.3g}, batch {recipe.batch_size}"
    seed = f"{shipped.seed}, the best of {len(finalist.seeds)} on validation"
    start = "random weights" if finalist.weights is None else finalist.weights.label
    return f"""---
library_name: timm
tags:
- image-classification
- timm
---
# {finalist.student}, {how}

{decision.summary}

| | |
|---|---|
| data | {task.data}, {len(task.classes)} classes, {task.training_images} |
| input | RGB, {task.transform.image_size} x {task.transform.image_size} px |
| parameters | {finalist.parameters:,} ({finalist.ratio:.1f}x fewer than the teacher) |
| starts from | {start} |
| training | {training if recipe.epochs else "none"} |
| seed | {seed if recipe.epochs else "none"} |
| test accuracy of these weights | {shipped.test_accuracy:.2%} |

```python
import timm
from PIL import ImageOps
model = timm.create_model("local-dir:PATH/TO/THIS/FOLDER", pretrained=True).eval()
model = timm.utils.reparameterize_model(model)  # merges what only training needs: the same answers, faster
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
inputs = transform(ImageOps.exif_transpose(image).convert("RGB")).unsqueeze(0)  # upright, as in training
```
"""
