"""``mlquiz grade``: grade one answer, or a file of answers, without any LMS."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from config import load_settings
from lti_tool.cli.output import console, say_json

if TYPE_CHECKING:
    from grading.domain import Assessment, KeyPoint, Question
    from lti_tool.cli.answer_file import AnswerFile, AnswerRow

_ANSWERS_IN_ONE_CALL = 200
_SURE_FROM = 0.5
_TO_LOOK_AT = frozenset(
    {"contradiction", "instruction", "other_language", "model_answer_pasted", "needs_person", "off_topic"}
)
_STYLES = {"covered": "green", "partial": "yellow", "missing": "dim", "contradicted": "red"}


def _language(_context: click.Context, _parameter: click.Parameter, code: str) -> str:
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise click.BadParameter(f"{code!r} is no ISO 639-1 code: two letters, such as en or ko.")
    return code.lower()


@click.command()
@click.option("--question", help="What was asked.")
@click.option("--reference", "references", multiple=True, help="A model answer; may be repeated.")
@click.option("--answer", help="What the student wrote.")
@click.option("--key-point", "points", multiple=True, help="One thing a full answer says; may be repeated.")
@click.option(
    "--language", default="", callback=_language, help="ISO 639-1 code; default: guessed from the model answer."
)
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A CSV file of answers instead: columns question, reference, answer.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The CSV file to write for --input.")
@click.option("--limit", type=click.IntRange(min=1), help="Grade only so many answers of the file.")
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@click.option("--json", "as_json", is_flag=True, help="The assessment, or a summary of the file, as JSON.")
def grade(
    question: str | None,
    references: tuple[str, ...],
    answer: str | None,
    points: tuple[str, ...],
    language: str,
    source: Path | None,
    output: Path | None,
    limit: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Grade one answer, or a file of answers.

    The file written has all columns and rows of the one read, and score, low, high, confidence and flags.
    docs/how-to/grade-a-file.md says what they mean.

    \b
    Examples:
      mlquiz grade --question "What is overfitting?" \\
        --reference "The model learns the noise of the training data. It fails on new data." \\
        --answer "it memorises the noise of the training set"
      mlquiz grade --input answers.csv --output graded.csv
    """
    if source is None:
        if output is not None or limit is not None or force:
            raise click.UsageError("--output, --limit and --force go with --input.")
        if question is None or answer is None or not references:
            raise click.UsageError("Give --question, --reference and --answer, or --input and --output.")
        _grade_one(question, references, answer, points, language, as_json)
        return
    if question is not None or answer is not None or references or points or language:
        raise click.UsageError("--input brings questions, references and answers of its own.")
    if output is None:
        raise click.UsageError("--input needs --output.")
    _require_free(source, output, force)
    _grade_file(source, output, limit, as_json)


def _grade_one(
    prompt: str, references: tuple[str, ...], answer: str, points: Sequence[str], language: str, as_json: bool
) -> None:
    from grading.domain import KeyPoint
    from grading.explanation.feedback_making import feedback_from
    from grading.explanation.template import template_text
    from grading.grader import load_grader
    from grading.keypoints import key_points_of
    from grading.text import clean

    given = tuple(
        KeyPoint(position=position, name=f"part {position + 1}", text=text)
        for position, text in enumerate(filter(None, map(clean, points)))
    )
    question = _question(prompt, references, given, language)
    settings = load_settings()
    assessment = load_grader(settings).assess(question, [answer])[0]
    explanation = template_text(feedback_from(question, answer, assessment), contact=settings.support_contact)
    if as_json:
        texts = {point.position: point.text for point in key_points_of(question)}
        verdicts = [asdict(verdict) | {"text": texts[verdict.position]} for verdict in assessment.verdicts]
        facts = asdict(assessment) | {"verdicts": verdicts, "flags": sorted(assessment.flags)}
        facts |= {"explanation": explanation}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    console.print(_table(assessment, {point.position: point.text for point in key_points_of(question)}))
    console.print()
    console.print(Text(explanation))


def _table(assessment: Assessment, points: Mapping[int, str]) -> Table:
    """What a person wants to see of an assessment, in two columns."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(
        "score",
        Text(
            f"{assessment.fraction:.2f}  (between {assessment.low:.2f} and {assessment.high:.2f},"
            f" confidence {assessment.confidence:.2f})"
        ),
    )
    for verdict in assessment.verdicts:
        shown = Text(points[verdict.position])
        if verdict.evidence is not None:
            shown.append(f"\n“{verdict.evidence}”", style="italic")
        table.add_row(Text(verdict.verdict.value, style=_STYLES[verdict.verdict.value]), shown)
    table.add_row("flags", Text(", ".join(sorted(assessment.flags)) or "none"))
    table.add_row("versions", Text(", ".join(f"{part} {version}" for part, version in assessment.versions.items())))
    return table


def _grade_file(source: Path, output: Path, limit: int | None, as_json: bool) -> None:
    from grading.grader import load_grader
    from lti_tool.cli.answer_file import read_answer_file, write_graded_file
    from lti_tool.cli.grading_progress import grading_progress

    file = read_answer_file(source)
    groups = _groups(file, limit)
    with grading_progress(sum(map(len, groups.values())), is_hidden=as_json) as advance:
        grader = load_grader(load_settings())
        advance(0)
        assessments: dict[int, Assessment] = {}
        for question, answers in groups.items():
            # In one call, unless that would stop the bar for long.
            for start in range(0, len(answers), _ANSWERS_IN_ONE_CALL):
                part = answers[start : start + _ANSWERS_IN_ONE_CALL]
                assessed = grader.assess(question, [answer.answer for answer in part])
                assessments.update(zip((answer.row for answer in part), assessed, strict=True))
                advance(len(part))
        names = write_graded_file(output, file, assessments)
    mean = sum(assessment.fraction for assessment in assessments.values()) / len(assessments)
    to_look_at = sum(map(_is_to_look_at, assessments.values()))
    if as_json:
        say_json(
            {
                "file": str(output),
                "answers": len(assessments),
                "questions": len(groups),
                "mean_score": round(mean, 4),
                "to_look_at": to_look_at,
                "columns": list(names),
                "versions": dict(grader.versions),
            }
        )
        return
    console.print(
        Text(
            f"{len(assessments)} answers to {len(groups)} questions in {output}: {names[0]} {mean:.2f} on average."
            f" {to_look_at} deserve a look: confidence below {_SURE_FROM}, or a flag that changes a score."
        )
    )


def _is_to_look_at(assessment: Assessment) -> bool:
    return assessment.confidence < _SURE_FROM or not assessment.flags.isdisjoint(_TO_LOOK_AT)


def _groups(file: AnswerFile, limit: int | None) -> dict[Question, list[AnswerRow]]:
    """The answers to each question with its model answer; refuses a question that nothing can be graded against."""
    from grading.errors import QuestionUnusable
    from grading.keypoints import key_points_of

    groups: dict[Question, list[AnswerRow]] = {}
    for count, row in enumerate(file.answers):
        question = _question(row.question, (row.reference,))
        if question not in groups:
            try:
                key_points_of(question)
            except QuestionUnusable as error:
                raise click.ClickException(f"{file.path}: row {row.row}: {error}.") from error
        answers = groups.setdefault(question, [])
        if limit is None or count < limit:
            answers.append(row)
    return {question: answers for question, answers in groups.items() if answers}


def _question(
    prompt: str, references: tuple[str, ...], points: tuple[KeyPoint, ...] = (), language: str = ""
) -> Question:
    from grading.domain import Question
    from grading.text import clean, language_of

    guessed = language or language_of(references[0])
    return Question(
        # The shell passes on bytes that are no UTF-8 as half a surrogate pair, and no tokenizer reads those.
        prompt=clean(prompt),
        model_answers=references,
        key_points=points,
        language="en" if guessed == "und" else guessed,
    )


def _require_free(source: Path, output: Path, force: bool) -> None:
    if output.resolve() == source.resolve() or (output.exists() and output.samefile(source)):
        raise click.UsageError(f"--output is the file that --input names, {source}: choose another name.")
    if output.exists() and not force:
        raise click.UsageError(f"{output} exists already: choose another name, or --force to replace it.")
    if not output.parent.is_dir():
        raise click.UsageError(f"{output.parent} is no folder: make it first, or choose another name.")
