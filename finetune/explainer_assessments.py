"""A grader whose assessments are kept beside the run, so that a run that goes on does not score everything again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from finetune.behaviour.judging import Assesses
from grading.domain import Assessment, Flag, KeyPointVerdict, Question, Verdict


class Grades(Assesses, Protocol):
    """A grader that says what it is made of."""

    versions: dict[str, str]


class KeptAssessments:
    """Assesses as the grader that ``load`` gives, which is loaded when it is first asked; keeps all in ``path``."""

    def __init__(self, load: Callable[[], Grades], path: Path) -> None:
        self._load = load
        self._path = path
        self._grader: Grades | None = None
        self._kept: dict[str, Assessment] = {}

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        """One assessment for each answer, in order."""
        grader = self._loaded()
        keys = [_key(grader.versions, question, answer) for answer in answers]
        new = [place for place, key in enumerate(keys) if key not in self._kept]
        if new:
            assessed = grader.assess(question, [answers[place] for place in new])
            self._keep({keys[place]: each for place, each in zip(new, assessed, strict=True)})
        return [self._kept[key] for key in keys]

    def _loaded(self) -> Grades:
        if self._grader is None:
            self._grader = self._load()
            self._kept = _read(self._path)
        return self._grader

    def _keep(self, assessed: dict[str, Assessment]) -> None:
        self._kept |= assessed
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps([key, _as_json(each)])}\n" for key, each in assessed.items())


def _key(versions: dict[str, str], question: Question, answer: str) -> str:
    return sha256(json.dumps([versions, asdict(question), answer]).encode()).hexdigest()


def _as_json(assessment: Assessment) -> dict[str, Any]:
    return asdict(assessment) | {"flags": sorted(assessment.flags), "versions": dict(assessment.versions)}


def _read(path: Path) -> dict[str, Assessment]:
    """What was kept; a line that a killed process did not finish ends it."""
    kept: dict[str, Assessment] = {}
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            key, found = json.loads(line)
        except ValueError:
            continue
        verdicts = tuple(KeyPointVerdict(**each | {"verdict": Verdict(each["verdict"])}) for each in found["verdicts"])
        flags = frozenset(map(Flag, found["flags"]))
        kept[key] = Assessment(**found | {"verdicts": verdicts, "flags": flags})
    return kept
