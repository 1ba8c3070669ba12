"""Whether pretrained weights can be had, asked before anything waits for them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import timm

from autokd.errors import TeacherError

PROBE_SECONDS = 4.0


def check_pretrained(name: str) -> None:
    """Raise TeacherError where timm has no weights for `name`, or where they cannot be reached now."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        raise TeacherError(
            f"timm has no pretrained weights for {name}; give --teacher-weights FILE, or --teacher-weights scratch"
        )
    if not (_kept(cfg.hf_hub_id, name) or reachable()):
        raise TeacherError(
            f"the pretrained weights of {name} cannot be reached from here; give --teacher-weights FILE with your own, "
            "or --teacher-weights scratch to train the teacher on your data"
        )


def reachable() -> bool:
    """Whether the hub answers within a few seconds, asked as a download would (proxy, certificates).

    Never true when offline mode is asked for.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    from huggingface_hub import constants, get_session

    answered: list[bool] = []

    def knock() -> None:
        with suppress(Exception):  # of whatever client the hub's library has chosen
            answered.append(get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS).status_code < 500)

    # looking up the name has no time limit of its own, and the rest one each, so the whole attempt gets one
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return any(answered)


def _kept(hub_id: str | None, name: str) -> bool:
    """Whether the weights lie in the local cache of the hub already."""
    from huggingface_hub import try_to_load_from_cache

    if not hub_id:
        return False
    repository = hub_id if not hub_id.endswith("/") else f"{hub_id}{name}"
    files = ("model.safetensors", "pytorch_model.bin")
    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
