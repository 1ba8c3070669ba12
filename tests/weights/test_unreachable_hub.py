"""A hub that is really not there, asked by a process of its own, as `HF_ENDPOINT` and `HF_HUB_OFFLINE` are set."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import autokd

ASK = """
import sys, time
from autokd.errors import TeacherError
from autokd.weights.hub import check_pretrained
start = time.monotonic()
try:
    check_pretrained("resnet18")
except TeacherError as error:
    print(time.monotonic() - start)
    sys.exit(str(error))
"""


@pytest.fixture
def closed_port():
    """A port of this machine at which nobody answers: bound, so that nobody else takes it, and never listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def mute_port():
    """A port that takes connections and never says a word."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(16)
        yield holder.getsockname()[1]


def asked(tmp_path: Path, **environment: str) -> tuple[float, str]:
    """Seconds until the refusal, and its sentence."""
    dropped = {"HF_HUB_OFFLINE", "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_HUB_CACHE"}
    clean = {key: value for key, value in os.environ.items() if key.upper() not in dropped}
    root = Path(autokd.__file__).parents[1]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**clean, "HF_HOME": str(tmp_path), "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert time.monotonic() - start > float(done.stdout)
    return float(done.stdout), done.stderr.strip()


@pytest.mark.parametrize("port", ["closed_port", "mute_port"])
def test_an_endpoint_that_does_not_answer(tmp_path, port, request):
    seconds, message = asked(tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{request.getfixturevalue(port)}")
    assert seconds < 10
    assert message.startswith("the pretrained weights of resnet18 cannot be reached from here")
    assert "teacher_weights='FILE'" in message
    assert "teacher_weights='scratch'" in message
    assert "\n" not in message
