"""Trainings and forward passes of these tests run on one thread."""

from __future__ import annotations

import pytest
from helpers_images import one_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield
