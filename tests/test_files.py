"""A damaged file is said to be of what it is of: a run folder, or the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.data.task import decoded_images, open_task
from autokd.errors import CacheError, RunError
from autokd.files import read_cache_json, read_json


@pytest.mark.parametrize("content", ["", "{", "\x00", None])
def test_a_damaged_file_of_a_run_is_a_damaged_run_folder(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "search.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError, match=r"search\.json cannot be read .*: the run folder is damaged; restore it"):
        read_json(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", None])
def test_a_damaged_file_of_the_cache_names_its_entry_and_says_what_to_remove(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "meta.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CacheError) as caught:
        read_cache_json(path)
    assert str(caught.value).startswith(f"{path} in the cache cannot be read (")
    assert str(caught.value).endswith(f"; remove {tmp_path}; a search that needs it makes it again")
    assert "run folder" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", '{"task": {}, "images": {"array": null, "data_dir": null}}'])
def test_a_damaged_task_is_of_the_cache(tmp_path: Path, content: str) -> None:
    (tmp_path / "task.json").write_text(content)
    for read in (open_task, decoded_images):
        with pytest.raises(CacheError, match=rf"task\.json in the cache cannot be read .*; remove {tmp_path};"):
            read(tmp_path)
