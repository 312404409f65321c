"""The export itself: one snapshot of the database becomes a dataset folder, and the books say what is in it.

::

    snapshot ─▶ questions ─▶ answers ─▶ scrubbed, under pseudonyms ─▶ a folder beside ─▶ books ─▶ the folder in place

A dataset that is in place is in the books: where the process dies in between, the books know of one that nobody has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lti_tool import __version__
from lti_tool.db import Database
from lti_tool.exports.bookkeeping import Taken, record_export, snapshot
from lti_tool.exports.errors import NothingToExport
from lti_tool.exports.names import words_of
from lti_tool.exports.scrubbing import People, Scrubber
from lti_tool.exports.selection import (
    AskedQuestion,
    Filters,
    ReleasedAnswer,
    Tally,
    iterate_answers,
    list_asked_questions,
    list_people,
    tally,
)
from lti_tool.gradebook.decisions import NO_WORDS

if TYPE_CHECKING:
    from psycopg import Connection

    from finetune.dataset import DatasetQuestion, Example, Manifest

_EXPLAINED_BY = {"TEMPLATE": "TEMPLATE", "LLM": "MODEL", "INSTRUCTOR": "PERSON"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written. ``scrubbed``: how many names, mail addresses, phone numbers and ids were taken out."""

    folder: Path
    manifest: Manifest
    tally: Tally
    scrubbed: Mapping[str, int]


class Pseudonyms:
    """Names for things that nobody can lead back: HMAC with a key that exists only while the export runs."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, kind: str, number: int) -> str:
        """The same for the same thing in this export, another one in the next."""
        return hmac.new(self._key, f"{kind} {number}".encode(), hashlib.sha256).hexdigest()[:20]


def export_dataset(
    database: Database,
    folder: Path,
    filters: Filters,
    *,
    begun: Callable[[int], None] = lambda total: None,
    advance: Callable[[int], None] = lambda count: None,
) -> Exported:
    """Write the dataset of the answers that fit the filters into ``folder``, new or empty; its owner alone may read it.

    ``begun`` is told how many there are, ``advance`` how many more are done. Raises :class:`NothingToExport`, and what
    ``finetune.dataset.write_dataset`` raises where the folder is taken or cannot be written.
    """
    from finetune.dataset import write_dataset
    from finetune.dataset.writing import require_free_folder

    target = require_free_folder(folder)
    with snapshot(database) as connection, _beside(target) as holding:
        counted = tally(connection, filters)
        if not counted.exported:
            raise NothingToExport(_nothing(counted))
        begun(counted.exported)
        run = _Run(connection=connection, filters=filters, advance=advance)
        noted: dict[str, object] = filters.published()
        noted["left_out"] = counted.left_out()
        # Counted while the answers are written; the manifest comes last.
        noted["scrubbed"] = run.scrubber.counts
        manifest = write_dataset(
            holding / "dataset",
            questions=run.questions(),
            examples=run.examples(),
            producer=f"mlquiz {__version__} dataset export",
            filters=noted,
        )
        with database.across_tenants() as books:
            record_export(books, digest=manifest.digest, filters=filters.recorded(), taken=run.taken)
        (holding / "dataset").chmod(0o700)
        (holding / "dataset").replace(target)
    return Exported(folder=target, manifest=manifest, tally=counted, scrubbed=dict(run.scrubber.counts))


class _Run:
    """The questions and answers of one export, as the dataset has them."""

    def __init__(self, *, connection: Connection, filters: Filters, advance: Callable[[int], None]) -> None:
        self.taken = Taken()
        self.scrubber = Scrubber(people=People.of(()))
        self._connection = connection
        self._filters = filters
        self._advance = advance
        self._pseudonyms = Pseudonyms()
        self._asked = {each.id: each for each in list_asked_questions(connection, filters)}
        self._words = {
            each.id: words_of(each.prompt, *each.model_answers, *(point["text"] for point in each.key_points))
            for each in self._asked.values()
        }

    def questions(self) -> Iterator[DatasetQuestion]:
        """All questions, in the order of their pseudonyms."""
        named = {self._pseudonyms.of("question", number): asked for number, asked in self._asked.items()}
        for pseudonym in sorted(named):
            yield _question(pseudonym, named[pseudonym])

    def examples(self) -> Iterator[Example]:
        """All answers; each is in ``taken`` once it was given away."""
        course = None
        for answer in iterate_answers(self._connection, self._filters, shuffled_by=secrets.randbits(62)):
            if answer.context_id != course:
                course = answer.context_id
                self.scrubber.people = People.of(list_people(self._connection, answer.registration_id, course))
            yield self._example(answer)
            self.taken.add(answer.registration_id, answer.submission_id, answer.user_id)
            self._advance(1)

    def _example(self, answer: ReleasedAnswer) -> Example:
        from finetune.dataset import Example

        asked = self._asked[answer.question_id]
        explanation = answer.explanation
        if answer.explanation_source == "INSTRUCTOR" and explanation in NO_WORDS.values():
            explanation = None  # a score without words
        return Example.model_validate(
            {
                "id": self._pseudonyms.of("answer", answer.submission_id),
                "question": self._pseudonyms.of("question", answer.question_id),
                "answer": self._scrub(answer.answer, answer),
                "language": answer.language,
                "score": answer.fraction,
                "scored_by": "PERSON" if answer.is_confirmed else "MODEL",
                "verdicts": _verdicts(answer, asked),
                "explanation": self._scrub(explanation, answer) if explanation else None,
                "explained_by": _EXPLAINED_BY[answer.explanation_source or ""] if explanation else None,
                "rating": answer.rating if explanation else None,
                "learner": self._pseudonyms.of("learner", answer.user_id),
                "course": self._pseudonyms.of("course", answer.context_id),
            }
        )

    def _scrub(self, text: str, answer: ReleasedAnswer) -> str:
        return self.scrubber.scrub(text, own_name=answer.user_name, spared=self._words[answer.question_id])


def _question(pseudonym: str, asked: AskedQuestion) -> DatasetQuestion:
    from finetune.dataset import DatasetQuestion

    return DatasetQuestion.model_validate(
        {
            "id": pseudonym,
            "prompt": asked.prompt,
            "language": asked.language,
            "model_answers": [each for each in asked.model_answers if each.strip()],
            "key_points": [{**point, "position": place} for place, point in enumerate(asked.key_points)],
            "source": "bank" if asked.is_of_the_bank else "course",
        }
    )


def _verdicts(answer: ReleasedAnswer, asked: AskedQuestion) -> list[str]:
    """The verdicts where they are about the key points as they are now; none where the key has changed since."""
    then = [name for name, _ in answer.verdicts]
    now = [point["name"] for point in asked.key_points]
    return [verdict for _, verdict in answer.verdicts] if then == now else []


def _nothing(counted: Tally) -> str:
    reasons = {
        "in courses that allow no use": counted.course_says_no,
        "of students who did not agree": counted.student_did_not_agree,
        "of erased students": counted.student_was_erased,
        "in which a student may need a person": counted.student_needs_person,
        "with scores that no instructor confirmed (--all-scores takes them too)": counted.not_confirmed,
    }
    held = ", ".join(f"{count} {words}" for words, count in reasons.items() if count)
    return f"nothing to export: {held}" if held else "nothing to export: no released answer fits"


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder for its owner alone beside the target; what is left in it at the end goes away."""
    from finetune.dataset.writing import beside
    from finetune.errors import DatasetUnwritable

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(beside(target))
        except OSError as error:
            raise DatasetUnwritable(f"{target}: the dataset cannot be written: {error.strerror}.") from error
        yield folder
