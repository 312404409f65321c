"""Questions in YAML files, one a file, checked when read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

LANGUAGES: tuple[Literal["en", "ko"], ...] = ("en", "ko")

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, schema: type[Model], error: type[Exception]) -> Model:
    """One file, checked; an ``error`` that names the file and the field where it does not fit."""
    try:
        return schema.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise error(f"{path}: not readable as YAML: {fault}") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "question"
        raise error(f"{path}: {place}: {first['msg']}") from fault


def yaml_paths(folder: Path) -> Iterator[Path]:
    """``<language>/<id>.yaml`` in ``folder``, sorted."""
    for language in LANGUAGES:
        yield from sorted((folder / language).glob("*.yaml"))
