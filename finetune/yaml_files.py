"""Questions in YAML files, one a file, checked when read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

LANGUAGES: tuple[Literal["en", "ko"], ...] = ("en", "ko")

Model = TypeVar("Model", bound=BaseModel)


class BankError(Exception):
    """A file does not fit its schema; the message names file and field."""


def read_yaml(path: Path, schema: type[Model]) -> Model:
    """One file, checked; :class:`BankError` names the file and the field."""
    try:
        return schema.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BankError(f"{path}: not readable as YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "question"
        raise BankError(f"{path}: {place}: {first['msg']}") from error


def yaml_paths(folder: Path) -> Iterator[Path]:
    """``<language>/<id>.yaml`` in ``folder``, sorted."""
    for language in LANGUAGES:
        yield from sorted((folder / language).glob("*.yaml"))


def check_all(folder: Path, schema: type[BaseModel]) -> int:
    """Check every file and print what is wrong; 1 if anything is, 0 otherwise: an exit code."""
    faults = questions = 0
    for path in yaml_paths(folder):
        questions += 1
        try:
            read_yaml(path, schema)
        except BankError as error:
            faults += 1
            sys.stderr.write(f"{error}\n")
    sys.stdout.write(f"{questions} questions, {faults} files with faults\n")
    return 1 if faults else 0
