"""The folder task of `pattern_task`."""

from pattern_task import _one_thread, config, data, pattern_folder

__all__ = ["_one_thread", "config", "data", "pattern_folder"]
