"""TOML files that people write, and settings from one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from autokd.config import SearchConfig
from autokd.config_messages import cannot_be_used, refuse_unknown
from autokd.errors import ConfigError
from autokd.formatting import escaped
from autokd.naming import Names, naming

MOST_TOML = 1_000_000  # bytes of a file that people write
MOST_DOTS = 500  # of a key such as a.b.c
_NO_KEY = re.compile(r"""[^\w\-"' \t.]+""")


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a TOML file.

    Raises OSError, ValueError for what is not TOML, and RecursionError for what is nested too deep.
    """
    with path.open("rb") as file:
        content = file.read(MOST_TOML + 1)
    if len(content) > MOST_TOML:
        raise ValueError(f"it has more than {MOST_TOML:,} bytes")
    text = content.decode("utf-8").replace("\r\n", "\n")
    if any(words.count(".") > MOST_DOTS for words in _NO_KEY.split(text)):  # the parser's time grows with the square
        raise RecursionError
    return text, tomllib.loads(text)


def content_of(path: Path, given: str, holds: str) -> dict[str, Any]:
    """Content of a TOML file that was `given` and holds such things; raises ConfigError with the next step."""
    try:
        return read_toml(path)[1]
    except OSError as error:
        raise ConfigError(f"{given} cannot be read ({error.strerror}); name an existing TOML file") from None
    except RecursionError:
        raise ConfigError(f"{given} is nested too deep to hold {holds}; name another TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{given} is not text in UTF-8; name a TOML file") from None
    except ValueError as error:
        raise ConfigError(f"{given} is not valid TOML: {escaped(str(error))}") from None


def read_config_file(path: Path) -> dict[str, Any]:
    """Settings from a TOML file, keys spelled with `_` or `-`.

    Raises ConfigError for a file that is missing or not TOML, for an unknown key, and for a value that cannot be used.
    """
    settings = {key.replace("-", "_"): value for key, value in content_of(path, str(path), "settings").items()}
    with naming(Names("key")):
        try:
            refuse_unknown(settings, SearchConfig.model_fields)
            return {name: _checked(name, value) for name, value in settings.items()}
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None


def _checked(name: str, value: object) -> Any:
    """The value of one setting, alone; raises ConfigError."""
    field = SearchConfig.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    try:
        return TypeAdapter[Any](kind, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except ValidationError as error:
        raise ConfigError(cannot_be_used(name, field, error.errors()[0])) from None
