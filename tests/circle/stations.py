"""The way round, station by station: each does its part and says what was seen; what should be and is not ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from finetune.dataset import read_dataset
from tests.circle.circle import PLATFORM, Circle, require
from tests.circle.people import Class
from tests.circle.quiz import STUDENTS, UNWILLING, WILLING, answers_of, fair_shares_of
from tests.circle.rows import list_promoted
from tests.integration.stack import wait_for

LEARNER = WILLING[0]
"""The student who opens the quiz once more when the new models serve."""
ERASED = WILLING[2]

_WORDED = {"SERVED": "EXPLAINED_BY_MODEL", "REFUSED": "EXPLANATION_REFUSED"}


# Stations, in order ------------------------------------------------------------------------------------------------


def quiz_is_added(circle: Circle) -> str:
    """The instructor writes the questions, adds the quiz by deep linking, and lets the course ask for consent."""
    circle.course = Class.founded(circle.lms, circle.questions)
    circle.course.asks_students_about_their_answers()
    return f"{len(circle.questions)} questions that no model was trained on; scores wait for approval"


def students_answer(circle: Circle) -> str:
    """All say yes or no to the use of their answers and hand in; the models of the settings score and explain."""
    for slug in STUDENTS:
        choice = "NO" if slug == UNWILLING else "YES"
        circle.course.hears_from(slug, answers_of(slug, circle.questions), choice=choice)
    count = len(STUDENTS) * len(circle.questions)
    circle.waits_until_explained(count)
    rows = circle.answers()
    require(all(row.approval == "NEEDED" for row in rows), "every attempt waits for approval")
    require(all("version" not in (row.scored_by or {}) for row in rows), "no trained version serves yet")
    require(not any(entry.score for entry in circle.gradebook().values()), "the gradebook is empty before approval")
    worded = Counter(row.worded for row in rows)
    return f"{count} answers of {len(STUDENTS)} students; {len(WILLING)} said yes, 1 said no; {_listed(worded)}"


def instructor_confirms(circle: Circle) -> str:
    """Scores that are far off are corrected, then all are approved and arrive in the gradebook."""
    slugs = {circle.subs[slug]: slug for slug in STUDENTS}
    attempts = {row.attempt_id: slugs[row.user_sub] for row in circle.answers()}
    corrected = 0
    for attempt_id, slug in attempts.items():
        shares = fair_shares_of(slug, circle.questions)
        corrected += circle.course.corrects(attempt_id, shares, most=circle.size.corrections)
    require(corrected > 0, "the instructor found a score to correct")
    circle.course.approves_all()
    rows = circle.answers()
    circle.waits_until_delivered(len(rows))
    circle.requires_gradebook(circle.answers())
    return f"{corrected} scores corrected, {len(attempts)} attempts approved, all in the gradebook"


def answers_are_exported(circle: Circle) -> str:
    """``dataset export`` and ``dataset check``: everything of those who said yes, nothing of the one who said no."""
    exported = circle.operator.types("dataset", "export", "--output", str(circle.data), "--json").facts
    circle.dataset = exported["digest"]
    circle.operator.types("dataset", "check", str(circle.data), "--json")
    dataset = read_dataset(circle.data)
    texts = {example.answer for example in dataset.examples}
    for slug in STUDENTS:
        found = texts & set(answers_of(slug, circle.questions))
        if slug == UNWILLING:
            require(not found, f"no answer of {slug}, who said no, is in the dataset")
        else:
            require(len(found) == len(circle.questions), f"the dataset has all answers of {slug}, not {len(found)}")
    require(len(dataset.examples) == len(WILLING) * len(circle.questions), "the dataset has no answer but theirs")
    require(len({example.learner for example in dataset.examples}) == len(WILLING), "a pseudonym for each of them")
    require(all(example.is_confirmed for example in dataset.examples), "every score is confirmed")
    left_out = exported["left_out"]["student_did_not_agree"]
    require(left_out == len(circle.questions), f"{left_out} answers were left out for want of consent")
    return f"dataset {dataset.digest}: {len(dataset.examples)} answers; {left_out} left out without consent"


def grader_is_trained(circle: Circle) -> str:
    """``train grader`` on the dataset; its run is added as a candidate that names the dataset."""
    circle.grader, figures = _trained(circle, "grader", circle.size.grader)
    return f"candidate {circle.grader}, {figures}"


def explainer_is_trained(circle: Circle) -> str:
    """``train explainer`` on the dataset; its run is added as a candidate that names the dataset."""
    circle.explainer, figures = _trained(circle, "explainer", circle.size.explainer)
    return f"candidate {circle.explainer}, {figures}"


def models_are_promoted(circle: Circle) -> str:
    """Both are judged on the dataset's test part and put in charge, with a reason where the gate says no."""
    said = []
    for kind, digest in (("grader", circle.grader), ("explainer", circle.explainer)):
        reasons = circle.operator.promotes(digest, circle.data)
        said.append(f"{kind}: {'refused, then forced: ' + reasons[0] if reasons else 'not worse'}")
    with circle.database.across_tenants() as connection:
        promoted = list_promoted(connection)
    require(promoted == [circle.grader, circle.explainer], f"the trail of events has both promotions, not {promoted}")
    return "; ".join(said)


def workers_load_them(circle: Circle) -> str:
    """The workers that ran all the time take the new versions up, between two tasks."""
    for queue, digest in (("grade", circle.grader), ("explain", circle.explainer)):
        log = circle.logs / f"worker-{queue}.log"
        wait_for(lambda log=log, digest=digest: _is_loaded(log, digest), f"the {queue} worker to load {digest}")
    return "without a restart"


def next_launch_is_graded_and_explained(circle: Circle) -> str:
    """A student launches again: versions beside scores and explanations, the gradebook and the record name the new."""
    circle.course.hears_from(LEARNER, answers_of(LEARNER, circle.questions, attempt=2))
    circle.waits_until_explained(len(circle.questions), attempt=2)
    rows = circle.answers(attempt=2)
    require(
        all((row.scored_by or {}).get("version") == circle.grader for row in rows),
        f"every score names the grader {circle.grader}",
    )
    asked = [row for row in rows if row.worded in _WORDED]
    require(bool(asked), "the explainer was asked about an answer")
    for row in asked:
        require((row.asked or {}).get("version") == circle.explainer, f"it was the explainer {circle.explainer}")
        source, is_served = row.shown_from, row.worded == "SERVED"
        require(source == ("LLM" if is_served else "TEMPLATE"), f"a text that is {row.worded} is shown from {source}")
        if is_served:
            require((row.shown_by or {}).get("version") == circle.explainer, "a text that is shown names its explainer")
    return f"{len(rows)} answers scored by {circle.grader}; {_listed(Counter(row.worded for row in rows))}"


def gradebook_and_record_tell(circle: Circle) -> str:
    """The new score is in the gradebook; the page's record and ``audit export`` name both new versions."""
    before = circle.gradebook()[circle.subs[LEARNER]]
    circle.course.approves_all()
    circle.waits_until_delivered(len(circle.questions), attempt=2)
    rows = circle.answers(attempt=2)
    circle.requires_gradebook(rows)
    now = circle.gradebook()[circle.subs[LEARNER]]
    require(now.posts == before.posts + 1, f"one score was posted, not {now.posts - before.posts}")
    shown = circle.course.record_of(rows[0].attempt_id)
    for digest in (circle.grader, circle.explainer):
        require(f"version {digest}" in shown, f"the record on the page names {digest}: {shown[:300]}")
    told = circle.exported_record(LEARNER, attempt=2)
    for event, version in (
        ("SCORED_BY_MODEL", circle.grader),
        *((each, circle.explainer) for each in _WORDED.values()),
    ):
        named = [row["model_versions"] for row in told if row["event"] == event]
        require(all(f"version={version}" in each for each in named), f"{event} in the file names {version}")
    require(sum(row["event"] == "SCORED_BY_MODEL" for row in told) == len(rows), "the file has every score")
    require(any(row["event"] in _WORDED.values() for row in told), "the file says who was asked for explanations")
    require(any(row["event"] == "DELIVERED" for row in told), "the file says that the score arrived")
    return f"{_shown(before.score)} → {_shown(now.score)} of {_shown(now.maximum)}; {len(told)} rows name both versions"


def student_is_erased(circle: Circle) -> str:
    """``student erase`` names the dataset and both models; the next export holds nothing of that student."""
    sub = circle.subs[ERASED]
    words = ("student", "erase", "--platform", PLATFORM, "--student", sub, "--yes", "--json")
    erased = circle.operator.types(*words).facts
    require(erased["answers"] == len(circle.questions), f"{erased['answers']} answers were erased")
    require([each["digest"] for each in erased["datasets"]] == [circle.dataset], "the dataset is named")
    models = {each["digest"] for each in erased["models"]}
    require(models == {circle.grader, circle.explainer}, f"both models that learned from them are named, not {models}")
    again = circle.operator.folder / "dataset-again"
    circle.operator.types("dataset", "export", "--output", str(again), "--json")
    texts = {example.answer for example in read_dataset(again).examples}
    for slug in (ERASED, UNWILLING):
        require(not texts & set(answers_of(slug, circle.questions)), f"the next export has no answer of {slug}")
    return f"{erased['answers']} answers of a student erased; dataset and both models named; not in the next export"


STATIONS: tuple[Callable[[Circle], str], ...] = (
    quiz_is_added,
    students_answer,
    instructor_confirms,
    answers_are_exported,
    grader_is_trained,
    explainer_is_trained,
    models_are_promoted,
    workers_load_them,
    next_launch_is_graded_and_explained,
    gradebook_and_record_tell,
    student_is_erased,
)


# Parts of the above ------------------------------------------------------------------------------------------------


def _trained(circle: Circle, kind: str, options: tuple[str, ...]) -> tuple[str, str]:
    """The digest of the version that a training on the dataset became, and its figures."""
    run = circle.operator.folder / f"run-{kind}"
    circle.operator.types("train", kind, "--data", str(circle.data), "--output", str(run), *options, "--json")
    version = circle.operator.types("models", "add", str(run), "--kind", kind, "--json").facts
    require(version["status"] == "CANDIDATE", "a trained model is a candidate")
    require(version["dataset_digest"] == circle.dataset, f"it names the dataset, not {version['dataset_digest']}")
    figures = {name: value for name, value in version["metrics"].items() if name in _FIGURES}
    return version["digest"], ", ".join(f"{_FIGURES[name]} {value:.3f}" for name, value in figures.items())


def _is_loaded(log: Path, digest: str) -> bool:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return any("model loaded" in line and digest in line for line in lines)


def _listed(counts: Counter[str | None]) -> str:
    return ", ".join(
        f"{count} {str(name).lower().replace('_', ' ')}" for name, count in sorted(counts.items(), key=str)
    )


def _shown(points: Decimal | None) -> str:
    return "–" if points is None else f"{points:.2f}"


_FIGURES = {"head/all/mse": "MSE", "head/all/pearson_r": "r", "test/adapter/share": "share of texts that pass"}
