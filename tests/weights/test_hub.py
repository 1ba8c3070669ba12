"""Pretrained weights where there is no network: told early, in one sentence, with the ways out."""

from __future__ import annotations

import http.server
import socket
import threading
import time

import pytest
import timm
from helpers_images import Recorder, settings

import autokd.weights.hub
from autokd.errors import TeacherError
from autokd.teacher.prepare import check_weights, prepare_teacher, weights_mode
from autokd.weights.hub import check_pretrained, reachable

NAME = "resnet18"


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    """Whatever this machine has downloaded before does not count; nor do its own settings of the network."""
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    for name in ("HF_HUB_OFFLINE", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def refused(name: str = NAME) -> str:
    start = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        check_pretrained(name)
    assert time.monotonic() - start < 10
    message = str(caught.value)
    assert "\n" not in message
    return message


def names_the_ways_out(message: str) -> bool:
    return "teacher_weights='FILE'" in message and "teacher_weights='scratch'" in message


def test_offline_mode_is_believed(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert names_the_ways_out(refused())


def test_a_name_that_cannot_be_looked_up(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert names_the_ways_out(refused())


def test_a_network_that_never_answers(monkeypatch):
    class Silent:
        def head(self, *_, **__):
            time.sleep(30)

    monkeypatch.setattr("huggingface_hub.get_session", Silent)
    monkeypatch.setattr(autokd.weights.hub, "PROBE_SECONDS", 0.3)
    assert names_the_ways_out(refused())
    assert autokd.weights.hub.PROBE_SECONDS < 10


@pytest.fixture
def hub(monkeypatch):
    """A server on this machine in the hub's place; its `status` is what it answers to everything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.status = 200
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "there"), [(200, True), (302, True), (404, True), (503, False)])
def test_an_answer_is_an_answer_unless_the_hub_is_down(hub, status, there):
    hub.status = status
    assert reachable() is there


def test_weights_that_lie_here_need_no_network(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda repo, file: asked.append(repo) or str(tmp_path / file)
    )
    check_pretrained(NAME)
    assert asked[0].startswith("timm/resnet18.")


def test_a_model_without_weights_says_so_whatever_the_network():
    assert "timm has no pretrained weights for resnet10t_none" in refused_of_nothing()


def refused_of_nothing() -> str:
    without = next(name for name in timm.list_models("resnet*") if not timm.get_pretrained_cfg(name).has_weights)
    return refused(without).replace(without, "resnet10t_none")


def test_the_default_is_scratch_for_digits_and_pretrained_for_other_data(tmp_path):
    assert weights_mode(settings()) == "scratch"
    assert weights_mode(settings(data="somewhere")) == "pretrained"
    assert weights_mode(settings(data="somewhere", teacher_weights="w.pth")) == "w.pth"


def test_it_is_asked_before_any_data_are_read(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TeacherError, match="cannot be reached"):
        check_weights(settings(teacher=NAME, data="a folder that is not there"))
    with pytest.raises(TeacherError, match="is not a file"):
        check_weights(settings(teacher=NAME, teacher_weights=str(tmp_path / "absent.pth")))
    check_weights(settings(teacher=NAME, teacher_weights="scratch", data="a folder that is not there"))


def test_a_download_that_fails_halfway_is_one_sentence_too(monkeypatch, config, data):
    def fail(*_, **options):
        if options.get("pretrained"):
            raise ConnectionResetError("connection reset by peer\nsecond line")
        return created(*_, **options)

    created = timm.create_model
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(TeacherError, match=r"cannot be had \(connection reset by peer\)") as caught:
        prepare_teacher(config.model_copy(update={"teacher_weights": "pretrained"}), data, "cpu", Recorder())
    assert names_the_ways_out(str(caught.value))
    assert "\n" not in str(caught.value)
