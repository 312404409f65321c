"""The YAML files of the banks that are trained on: one error for all, and a check of a whole folder."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel

from grading import yaml_files
from grading.yaml_files import Model, yaml_paths


class BankError(Exception):
    """A file does not fit its schema; the message names file and field."""


def read_yaml(path: Path, schema: type[Model]) -> Model:
    """One file, checked; :class:`BankError` names the file and the field."""
    return yaml_files.read_yaml(path, schema, BankError)


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
