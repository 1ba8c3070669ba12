"""What is being solved, and the teacher that solves it now."""

from __future__ import annotations

from typing import Literal

from autokd.records.base import Record


class Transform(Record):
    """How an image becomes an input: the same crop for every model, before each applies its own mean and deviation."""

    image_size: int
    crop: Literal["padded", "resized"]  # padded: shifts by up to an eighth; resized: random resized crop
    flip: bool
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    colour: float = 0.0  # brightness, contrast and saturation each scaled by 1 - colour to 1 + colour
    trivial_augment: bool = False  # one random operation a view (TrivialAugment)
    erase: float = 0.0  # probability of random erasing


class Preprocessing(Record):
    """How a teacher that comes trained sees an image: the shorter side resized, then the centre cut out."""

    image_size: int  # pixels a side of the centre
    resized: int  # pixels of the shorter side; of both sides with `squash`
    interpolation: Literal["bilinear", "bicubic"]
    squash: bool = False  # resized to a square, whatever shape it has

    @property
    def words(self) -> str:
        """For people."""
        how = "both sides" if self.squash else "the shorter side"
        return f"{self.image_size} px, the centre after {how} is resized to {self.resized} px ({self.interpolation})"


class Copies(Record):
    """Images of a part that are among the training images too, pixel by pixel."""

    part: Literal["validation", "test"]
    count: int
    images: int  # of the part
    first: str  # one of them
    original: str  # the training image that it is a copy of


class Task(Record):
    """What is being solved: data, classes and the three splits."""

    data: str
    fingerprint: str  # of images, labels, class order, splits, and of which labels are hidden
    classes: tuple[str, ...]
    train: int  # with or without a label
    val: int
    test: int
    transform: Transform
    split_note: str  # where validation and test come from, in one sentence
    test_is_separate: bool  # the data set ships its own test part
    skipped: tuple[str, ...] = ()  # corrupt files left out on request
    copies: tuple[Copies, ...] = ()
    labelled: int | None = None  # training images whose label students see; None: all of them
    unhidden_fingerprint: str | None = None  # as it would be with no label hidden; None: none is
    native_size: int | None = None  # pixels of the longer side, where all images have the same

    @property
    def unlabelled(self) -> int:
        """Training images whose label students do not see."""
        return 0 if self.labelled is None else self.train - self.labelled

    @property
    def shared_fingerprint(self) -> str:
        """That of all tasks which differ in hidden labels only; teachers trained here and soft labels belong to it."""
        return self.unhidden_fingerprint or self.fingerprint

    @property
    def training_images(self) -> str:
        """How many there are, in words."""
        of_them = f", {self.labelled:,} of them labelled" if self.unlabelled else ""
        return f"{self.train:,} training images{of_them}"


class Teacher(Record):
    """The verified teacher."""

    name: str
    weights: str  # how it came by its weights, in one phrase
    fingerprint: str
    parameters: int
    macs: int
    val_accuracy: float
    test_accuracy: float
    temperature: float  # that calibrates it on validation data
    seconds: float  # device seconds spent on training it in this run; 0 when it was reused or given
    preprocessing: Preprocessing | None = None  # its own; None: that of the students
    epochs: int | None = None  # at most, of its training here; None where it came trained
    epochs_left_out: int = 0  # for which a time limit left no time
    own_weights: bool  # came with weights that may have seen images of validation or test cut from training

    @property
    def to_keep(self) -> float:
        """Accuracy on validation that students are held against.

        A teacher that came trained may know these images by heart, so it counts for no more than on test.
        """
        return min(self.val_accuracy, self.test_accuracy) if self.own_weights else self.val_accuracy
