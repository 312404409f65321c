"""``mlquiz grade``: grade one answer without any LMS."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from config import load_settings
from lti_tool.cli.output import console


@click.command()
@click.option("--question", required=True, help="What was asked.")
@click.option("--reference", "references", required=True, multiple=True, help="A model answer; may be repeated.")
@click.option("--answer", required=True, help="What the student wrote.")
@click.option("--language", default="", help="ISO 639-1 code; default: guessed from the model answer.")
@click.option("--json", "as_json", is_flag=True, help="The assessment as JSON.")
def grade(question: str, references: tuple[str, ...], answer: str, language: str, as_json: bool) -> None:
    """Grade one answer on the command line.

    \b
    Example:
      mlquiz grade --question "What is overfitting?" \\
        --reference "The model learns the noise of the training data and fails on new data." \\
        --answer "it memorises the training set"
    """
    from grading.domain import Question
    from grading.explanation.feedback import feedback_from
    from grading.explanation.template import template_text
    from grading.grader import load_grader
    from grading.text import language_of

    guessed = language or language_of(references[0])
    asked = Question(prompt=question, model_answers=references, language="en" if guessed == "und" else guessed)
    assessment = load_grader(load_settings()).assess(asked, [answer])[0]
    explanation = template_text(feedback_from(asked, answer, assessment))
    if as_json:
        facts = asdict(assessment) | {"flags": sorted(assessment.flags), "explanation": explanation}
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    console.print(
        f"{assessment.fraction:.2f}  (between {assessment.low:.2f} and {assessment.high:.2f})", highlight=False
    )
    if assessment.flags:
        console.print(f"flags: {', '.join(sorted(assessment.flags))}", highlight=False)
    console.print(explanation, highlight=False, markup=False)
