"""Pictures as SVG text: elements, scales, and a frame with axes. Colours are classes of templates/chart.css."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Literal, Protocol

from autokd.formatting import printable
from autokd.report import format as fmt

Shape = Literal["circle", "diamond", "square", "triangle", "star", "down"]
SHAPES: dict[Shape, str] = {  # of radius 1
    "diamond": "M0-1.25 1.25 0 0 1.25-1.25 0Z",
    "square": "M-.9-.9H.9V.9H-.9Z",
    "triangle": "M0-1.15 1.1.85H-1.1Z",
    "star": "M0-1.3.32-.42 1.24-.4.5.16.76 1.05 0 .52-.76 1.05-.5.16-1.24-.4-.32-.42Z",
    "down": "M-1-.5H1L0 1Z",
}
FEW = 5  # ticks of an axis: they have to stay legible on a phone


def element(tag: str, *children: str, **attributes: object) -> str:
    """An element; attribute values are escaped, children are markup. `class_` is class, `_` in a name is `-`."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{''.join(children)}</{tag}>" if children else f"<{tag}{written}/>"


def text(words: str, x: float, y: float, **attributes: object) -> str:
    """Words at a place."""
    return element("text", escape(printable(words)), x=number(x), y=number(y), **attributes)


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def mark(shape: Shape, x: float, y: float, size: float, class_: str, tip: str, **attributes: object) -> str:
    """A mark with what is said of it when it is pointed at; `size` is its radius."""
    place = {"class_": class_, "transform": f"translate({number(x)} {number(y)})", "data_tip": printable(tip)}
    if shape == "circle":
        return element("circle", r=number(size), **place, **attributes)
    place["transform"] += f" scale({number(size)})"
    return element("path", d=SHAPES[shape], **place, **attributes)


def path(points: Iterable[tuple[float, float]], class_: str, **attributes: object) -> str:
    """A line through points."""
    return element("path", d="M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), class_=class_, **attributes)


# ---- scales ----------------------------------------------------------------------------------------------------


class Scale(Protocol):
    """Where a value stands on an axis, as a share of its length, and which values are written."""

    def place(self, value: float) -> float: ...

    @property
    def ticks(self) -> Sequence[tuple[float, str]]: ...


@dataclass(frozen=True)
class Linear:
    """Equal steps."""

    low: float
    high: float
    write: Callable[[float], str]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round values, labels that differ."""
        step = 10.0 ** floor(log10(self.high - self.low))
        while (self.high - self.low) / step > FEW + 1:
            step *= 2
        if (self.high - self.low) / step < 2:
            step /= 4
        elif (self.high - self.low) / step < 3:
            step /= 2
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        written: dict[str, float] = {}
        for k in range(first, last + 1):
            written.setdefault(self.write(float(f"{k * step:.10g}")), k * step)
        return tuple((value, label) for label, value in written.items())


@dataclass(frozen=True)
class Log:
    """Equal factors; its ends are powers of ten."""

    low: float
    high: float
    write: Callable[[float], str]

    @classmethod
    def over(cls, values: Sequence[float], write: Callable[[float], str]) -> Log:
        """A scale that holds all values with some room; all of them have to be above 0."""
        low, high = log10(min(values)), log10(max(values))
        room = max(0.06 * (high - low), 0.05)
        return cls(low - room, high + room, write)

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (log10(value) - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """As many of 1, 2 and 5 of every decade as there is room for."""
        decades = range(floor(self.low), ceil(self.high) + 1)
        found: list[float] = []
        for every, steps in (
            (1, (1, 1.5, 2, 3, 4, 5, 7)),
            (1, (1, 2, 5)),
            (1, (1, 3)),
            (1, (1,)),
            (2, (1,)),
            (4, (1,)),
        ):
            all_ = [float(f"{step}e{decade}") for decade in decades for step in steps if decade % every == 0]
            found = [value for value in all_ if self.low - 1e-9 <= log10(value) <= self.high + 1e-9]
            if len(found) <= FEW:
                break
        return tuple((value, self.write(value)) for value in found)


def percents(values: Sequence[float], room: float = 0.06) -> Linear:
    """A scale of accuracies that holds all values with some room."""
    low, high = min(values), max(values)
    spare = max(room * (high - low), 0.004)
    return Linear(low - spare, high + spare, short_percent)


def short_percent(share: float) -> str:
    """95 %, 97.5 %."""
    return fmt.typeset(f"{share * 100:.4g} %")


# ---- the frame -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """A plot's area within its picture, in pixels of the picture."""

    x: Scale
    y: Scale
    width: int = 640
    height: int = 380
    left: int = 74
    right: int = 18
    top: int = 26
    bottom: int = 62

    def px(self, value: float) -> float:
        """Where a value stands from left to right."""
        return self.left + self.x.place(value) * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """Where a value stands from top to bottom."""
        return self.height - self.bottom - self.y.place(value) * (self.height - self.top - self.bottom)

    @property
    def floor(self) -> float:
        """The lower edge of the area."""
        return self.height - self.bottom

    def axes(self, across: str, upwards: str) -> str:
        """Grid, ticks and titles."""
        end = self.width - self.right
        parts = [text(upwards, 4, 12, class_="title")] if upwards else []
        for value, label in self.y.ticks:
            y = self.py(value)
            parts.append(path([(self.left, y), (end, y)], "grid"))
            parts.append(text(label, self.left - 8, y + 4.5, text_anchor="end"))
        steps = "".join(
            path([(self.px(value), self.top), (self.px(value), self.floor)], "grid")
            + text(label, self.px(value), self.floor + 21, text_anchor="middle")
            for value, label in self.x.ticks
        )
        parts.append(element("g", steps or " ", class_="x-axis"))
        parts.append(text(across, (self.left + end) / 2, self.height - 8, text_anchor="middle", class_="title"))
        return "".join(parts)

    def picture(self, *content: str, **attributes: object) -> str:
        """The whole picture."""
        return picture(self.width, self.height, *content, **attributes)


def picture(width: int, height: int, *content: str, **attributes: object) -> str:
    """An svg element; what it shows is said by the figure around it."""
    return element(
        "svg", *content, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", aria_hidden="true",
        **attributes,
    )  # fmt: skip
