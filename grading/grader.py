"""Score answers to a question: gates, scorer, verdicts.

::

    answer ──guard──▶ sentences ──scorer──▶ coverage of each key point, fraction ──▶ Assessment
               └─ nothing left: fraction 0

There are two scorers: :mod:`grading.scoring_by_reading` with the model that this package ships or that was trained
for an encoder, and :mod:`grading.scoring_by_features` for any other encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from grading.domain import Assessment, Flag, KeyPoint, KeyPointVerdict, Question, Verdict
from grading.encoder import Encoder
from grading.encoder_loading import exported_folder, load_encoder, share_of
from grading.errors import HeadBroken
from grading.guard import GuardedAnswer, guard
from grading.head import DEFAULT_HEAD, load_head
from grading.keypoints import evidence_for, key_points_of
from grading.models import encoder_folder
from grading.reading_model import DEFAULT_MODEL, ReadingModel, load_reading_model
from grading.scoring import Scored, Scorer, Thresholds
from grading.scoring_by_features import FeatureScorer
from grading.scoring_by_reading import ReadingScorer
from grading.unpacking import MANIFEST_NAME, file_sha256, read_manifest

if TYPE_CHECKING:
    from config.settings import Settings
    from grading.unpacking import Progress

CODE_VERSION = "10"
"""Raised whenever a change of this package changes scores or flags."""
ENCODER_FOLDER = "encoder"
"""Where a version keeps the encoder that was tuned with it, all its weights."""

_GATE_HALF_WIDTH = 0.05
_GATE_CONFIDENCE = 0.97


class Grader:
    """A loaded model; one a process, not safe for several threads at once."""

    def __init__(self, scorer: Scorer, version: str = "") -> None:
        """Take what :func:`load_grader` loads; ``version`` is the digest of a trained model's folder."""
        self._scorer = scorer
        self.versions = {**scorer.versions, "code": CODE_VERSION, **({"version": version} if version else {})}

    def assess(self, question: Question, answers: Sequence[str]) -> list[Assessment]:
        """One assessment for each answer, in order; the same answer always gets the same one.

        Raises :class:`grading.errors.QuestionUnusable` when the question has neither key points nor a model answer.
        """
        points = key_points_of(question)
        guarded = [guard(question, answer) for answer in answers]
        if all(answer.is_empty_handed for answer in guarded):
            return [self._nothing(points, answer) for answer in guarded]
        prepared = self._scorer.question(question)
        assessments: list[Assessment] = []
        for answer in guarded:
            if answer.is_empty_handed:
                assessments.append(self._nothing(points, answer))
                continue
            # What stands beside a pasted model answer may be wrong: only the model answer alone is full for certain.
            scored = prepared.full(answer) if answer.is_model_answer_alone else prepared.score(answer)
            assessments.append(self._assessment(points, answer, scored))
        return assessments

    def _nothing(self, points: Sequence[KeyPoint], answer: GuardedAnswer) -> Assessment:
        verdicts = tuple(
            KeyPointVerdict(position=point.position, verdict=Verdict.MISSING, similarity=0.0) for point in points
        )
        return Assessment(
            fraction=0.0,
            low=0.0,
            high=_GATE_HALF_WIDTH,
            confidence=_GATE_CONFIDENCE,
            verdicts=verdicts,
            flags=answer.flags,
            versions=self.versions,
        )

    def _assessment(self, points: Sequence[KeyPoint], answer: GuardedAnswer, scored: Scored) -> Assessment:
        low, high, confidence = self._scorer.interval.around(scored.fraction, scored.doubt)
        verdicts = tuple(
            _verdict(point, answer, scored, number, self._scorer.thresholds) for number, point in enumerate(points)
        )
        return Assessment(
            fraction=round(scored.fraction, 4),
            low=round(low, 4),
            high=round(high, 4),
            confidence=round(confidence, 4),
            verdicts=verdicts,
            flags=answer.flags | _flags(verdicts, scored),
            versions=self.versions,
        )


def load_grader(settings: Settings, progress: Progress | None = None, version: Path | None = None) -> Grader:
    """The grader that the settings name (2 s and about 0.5 GB; the first time the encoder is unpacked and exported).

    ``version`` is the folder of a trained model to load in its place: a reader with the encoder that it was trained
    for, a head with the encoder that was tuned with it, a portable head with that of the settings. Raises a
    :class:`grading.errors.GradingError` that says what to do.
    """
    has_own = version is not None and ((version / "reader.safetensors").is_file() or _tuned_in(version) is not None)
    model = _encoder_of(version) if version is not None and has_own else settings.grader_model
    return grader_from(model, settings.models_path, version, progress)


def grader_from(model: str, models_path: Path, folder: Path | None = None, progress: Progress | None = None) -> Grader:
    """A grader of this encoder (bundled name, folder or hub id), with what was trained for it in ``folder``.

    Without a folder the shipped model serves the encoder that it was trained for; any other encoder gets the portable
    head: it relies on words and polarity first and on rescaled cosines second. ``mlquiz train grader`` makes a folder
    for any encoder.
    """
    trained = _reading_model_for(model, folder)
    if trained is not None:
        encoder = load_encoder(model, models_path, layers=trained.layers, adapter=trained.adapter, progress=progress)
        plain = partial(load_encoder, model, models_path, layers=trained.layers) if trained.adapter else None
        return Grader(ReadingScorer(encoder, trained, plain), _version_of(folder))
    tuned = _tuned_in(folder) if folder is not None else None
    encoder = Encoder(tuned or encoder_folder(model, models_path, progress), name=model)
    return Grader(FeatureScorer(encoder, load_head(folder or DEFAULT_HEAD, encoder.version)), _version_of(folder))


def prepare_grader(settings: Settings, progress: Progress | None = None) -> None:
    """Unpack and export what :func:`load_grader` loads, so that the workers find it ready (a minute the first time)."""
    trained = _reading_model_for(settings.grader_model, None)
    if trained is None or find_spec("onnxruntime") is None:
        encoder_folder(settings.grader_model, settings.models_path, progress)
        return
    # With what it learned for reading, and as it was published.
    adapters = dict.fromkeys((trained.adapter, None))
    for step, adapter in enumerate(adapters):
        exported_folder(
            settings.grader_model,
            settings.models_path,
            layers=trained.layers,
            adapter=adapter,
            progress=share_of(progress, step / len(adapters), (step + 1) / len(adapters)),
        )


def _reading_model_for(model: str, folder: Path | None) -> ReadingModel | None:
    """The trained reader in ``folder``, or the shipped one if it was trained for this encoder."""
    own = folder or DEFAULT_MODEL
    if not (own / "reader.safetensors").is_file():
        return None
    trained = load_reading_model(own)
    return trained if folder is not None or trained.encoder_name == model else None


def _tuned_in(folder: Path) -> Path | None:
    """The encoder in a version's folder, ``None`` where it has none of its own."""
    own = folder / ENCODER_FOLDER
    return own if own.is_dir() else None


def _encoder_of(folder: Path) -> str:
    """The encoder that a version's manifest names, as published; :class:`HeadBroken` where it names none."""
    name = ((read_manifest(folder) or {}).get("encoder") or {}).get("name")
    if not isinstance(name, str) or not name:
        raise HeadBroken(f"{folder} does not say for which encoder it was trained. Train it again.")
    return name


def _version_of(folder: Path | None) -> str:
    return file_sha256(folder / MANIFEST_NAME)[:16] if folder is not None else ""


def _verdict(
    point: KeyPoint, answer: GuardedAnswer, scored: Scored, number: int, thresholds: Thresholds
) -> KeyPointVerdict:
    coverage, contradiction = scored.coverages[number], scored.contradictions[number]
    if contradiction >= thresholds.contradicted_from and coverage < thresholds.covered_from:
        verdict = Verdict.CONTRADICTED
    elif coverage >= thresholds.covered_from:
        verdict = Verdict.COVERED
    elif coverage >= thresholds.partial_from:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.MISSING
    is_missing = verdict is Verdict.MISSING
    return KeyPointVerdict(
        position=point.position,
        verdict=verdict,
        similarity=round(float(scored.similarities[number]), 4),
        evidence=None if is_missing else evidence_for(scored.windows[number], answer.parts, answer.written),
    )


def _flags(verdicts: Sequence[KeyPointVerdict], scored: Scored) -> frozenset[Flag]:
    flags: set[Flag] = set()
    if any(verdict.verdict is Verdict.CONTRADICTED for verdict in verdicts):
        flags.add(Flag.CONTRADICTION)
    if scored.is_off_topic and all(verdict.verdict is Verdict.MISSING for verdict in verdicts):
        flags.add(Flag.OFF_TOPIC)
    return frozenset(flags)
