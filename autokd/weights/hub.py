"""Whether pretrained weights can be had, asked before anything waits for them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch

from autokd.errors import TeacherError
from autokd.naming import set_to

PROBE_SECONDS = 4.0


def check_pretrained(name: str) -> None:
    """Raise TeacherError where timm has no weights for `name`, or where they cannot be reached now."""
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.has_weights:
        raise TeacherError(
            f"timm has no pretrained weights for {name}; give {set_to('teacher_weights', 'FILE')}, "
            f"or {set_to('teacher_weights', 'scratch')}"
        )
    if not (is_kept(name) or reachable()):
        raise TeacherError(
            f"the pretrained weights of {name} cannot be reached from here; "
            f"give {set_to('teacher_weights', 'FILE')} with your own, "
            f"or {set_to('teacher_weights', 'scratch')} to train the teacher on your data"
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


def is_kept(name: str) -> bool:
    """Whether the weights lie in a local cache already: the hub's, or torch's for those that are on no hub."""
    cfg = timm.get_pretrained_cfg(name)
    if not cfg.hf_hub_id and cfg.url:
        return (Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(cfg.url).path).name).is_file()
    return kept_file(name) is not None


def kept_file(name: str) -> Path | None:
    """The file of these weights in the hub's local cache, which can be loaded without asking the hub."""
    from huggingface_hub import try_to_load_from_cache

    hub_id = timm.get_pretrained_cfg(name).hf_hub_id
    if not hub_id:
        return None
    found = (try_to_load_from_cache(hub_id, file) for file in ("model.safetensors", "pytorch_model.bin"))
    return next((Path(path) for path in found if isinstance(path, str)), None)
