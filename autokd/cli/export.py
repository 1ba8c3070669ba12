"""autokd export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autokd.formatting import percent

if TYPE_CHECKING:
    from autokd.pipeline.export import Exported


@click.command("export", epilog="autokd export reports/RUN --format onnx --output served/")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["timm", "onnx"]), required=True, help="What to write.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="Of an ONNX file; int8 is calibrated on training images.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A folder that is new or empty.")
@click.option("--finalist", type=int, metavar="N", help="Number of a finalist.  [default: the recommended student]")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
def command(run: Path, kind: str, precision: str, output: Path, finalist: int | None, force: bool) -> None:
    """Write a student of the finished RUN into a folder of its own, with a model card.

    timm: weights and config.json for `timm.create_model("local-dir:FOLDER")`. onnx: model.onnx for any number of
    images, with preprocessing and classes in its metadata; its logits are compared with those of the timm model. In
    int8 they differ, and what that costs in accuracy is said.
    """
    from autokd.cli.screen import Screen
    from autokd.pipeline.export import export_run

    with Screen() as screen:
        exported = export_run(run, kind, output, finalist, force, screen, precision)  # type: ignore[arg-type]
    for line in _lines(exported):
        click.echo(line)


def _lines(exported: Exported) -> list[str]:
    lines = [f"{exported.folder}: {exported.student}, finalist {exported.finalist}"]
    if (checked := exported.checked) is None:
        return lines
    lines.append(
        f"The largest difference to the logits of the timm model is {checked.largest_difference:.2g} "
        f"({checked.share_of_largest:.2g} of the largest logit), on {checked.images} "
        f"{'test' if exported.without_images is None else 'made-up'} images."
    )
    if checked.accuracy is not None and checked.model_accuracy is not None:
        both = percent(checked.accuracy), percent(checked.model_accuracy)
        lines.append(f"Accuracy on these images: {both[0]} (ONNX), {both[1]} (timm).")
    if exported.without_images is not None:
        lines.append(f"The accuracy was not checked: {exported.without_images}.")
    return lines
