"""Settings from a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from autokd.config import SearchConfig
from autokd.config_messages import cannot_be_used, refuse_unknown
from autokd.errors import ConfigError
from autokd.files import read_toml
from autokd.formatting import escaped
from autokd.naming import Names, naming


def read_config_file(path: Path) -> dict[str, Any]:
    """Settings from a TOML file, keys spelled with `_` or `-`.

    Raises ConfigError for a file that is missing or not TOML, for an unknown key, and for a value that cannot be used.
    """
    try:
        content = read_toml(path)[1]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name an existing TOML file") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deep to hold settings; name another TOML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8; name a TOML file") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {escaped(str(error))}") from None
    settings = {key.replace("-", "_"): value for key, value in content.items()}
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
