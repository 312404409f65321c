"""From the rates of an explainer to the page that shows them."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.evaluation.explainer_evaluation import ExplainerEvaluation, Text, Worded, WriterEvaluation
from finetune.evaluation.plots import Dots
from finetune.evaluation.report import Cell, LongText, Noted, Plots, Report, Sample, Samples, Section, Table, Version
from grading.explanation.checks import ProblemKind

SAMPLES = 12
EXAMPLES = 40

_RULES = {
    ProblemKind.EMPTY: "no text",
    ProblemKind.TOO_LONG: "longer than a student reads",
    ProblemKind.UNFINISHED: "ends within a sentence",
    ProblemKind.REPEATED: "says a sentence twice",
    ProblemKind.LANGUAGE: "in another language than the question",
    ProblemKind.MARKUP: "holds markup or invisible characters",
    ProblemKind.INSTRUCTION: "speaks of instructions, or to the grader",
    ProblemKind.SCORE: "names a score or a number that is not the question's",
    ProblemKind.VERDICT: "praises or faults the whole against its score",
    ProblemKind.NOT_NAMED: "does not name what is missing",
    ProblemKind.FALSE_PRAISE: "praises what is missing or wrong",
    ProblemKind.FALSE_FAULT: "faults what is right",
    ProblemKind.FALSE_QUOTE: "quotes what the student did not write",
    ProblemKind.UNGROUNDED: "brings in words from nowhere",
    ProblemKind.GIVEN_AWAY: "tells what the student should find out",
}


def explainer_report(evaluation: ExplainerEvaluation, *, title: str, facts: Sequence[tuple[str, str]]) -> Report:
    """The page of an evaluation; ``facts`` say which models, which data and when."""
    last = evaluation.writers[-1]
    questions = len({each.group for each in evaluation.answers})
    return Report(
        title=title,
        lead=f"Of {last.count:,} texts by the {last.name}, {last.passed.value:.1%} may be shown to students."
        f" All of them word feedback on {len(evaluation.answers):,} answers to {questions:,} questions.",
        facts=facts,
        sections=[
            _rates(evaluation.writers),
            *(_refused(each) for each in evaluation.writers[1:]),
            _side_by_side(evaluation),
        ],
    )


def _rates(writers: Sequence[WriterEvaluation]) -> Section:
    rows: list[list[Cell]] = [["every check passed", *(each.passed for each in writers)]]
    for kind, rule in _RULES.items():
        if any(each.broken[kind].value for each in writers):
            rows.append([Noted(text=kind.replace("_", " "), note=rule), *(each.broken[kind] for each in writers)])
    clean = [kind.replace("_", " ") for kind in _RULES if not any(each.broken[kind].value for each in writers)]
    rows.append(["texts", *(each.count for each in writers)])
    passed = Dots(
        title="Texts that pass every check", x_name="share", rows=[(each.name, each.passed) for each in writers]
    )
    return Section(
        title="What the checks say",
        text="Shares of the texts that break each rule, with 95 % intervals from 2,000 draws of whole questions. A text"
        f" that breaks one is not shown: the template's is. Never broken here: {', '.join(clean) or 'none'}.",
        blocks=[
            Table(columns=["Check", *(each.name for each in writers)], rows=rows),
            Plots(plots=[(passed, "The rest is replaced by the template's text.")]),
        ],
    )


def _refused(writer: WriterEvaluation) -> Section:
    refused = [each for each in writer.texts if each is not None and each.problems]
    rows: list[list[Cell]] = [
        ["; ".join(_problems(each)), LongText(text=each.text or "(no text)")] for each in refused[:EXAMPLES]
    ]
    told = f"{len(refused):,} of {writer.count:,} texts"
    more = f"; the first {EXAMPLES} of them" if len(refused) > EXAMPLES else ""
    return Section(
        title=f"Why texts of the {writer.name} were refused",
        text=f"{told}{more}.",
        blocks=[Table(columns=["Check and words", "Text"], rows=rows, shown=12)] if rows else [],
    )


def _side_by_side(evaluation: ExplainerEvaluation) -> Section:
    count = min(SAMPLES, len(evaluation.answers))
    places = [number * len(evaluation.answers) // count for number in range(count)]
    return Section(
        title="Side by side",
        text="The same feedback, worded by each; what the checks object to stands below a text.",
        blocks=[Samples(samples=[_sample(evaluation, place) for place in places])],
    )


def _sample(evaluation: ExplainerEvaluation, place: int) -> Sample:
    about: Worded = evaluation.answers[place]
    return Sample(
        question=about.question.prompt,
        answer=LongText(text=about.answer),
        versions=[_version(each.name, each.texts[place]) for each in evaluation.writers],
    )


def _problems(text: Text) -> list[str]:
    """A line for each rule that is broken, with all the words that break it."""
    found: dict[str, list[str]] = {}
    for problem in text.problems:
        found.setdefault(problem.kind.replace("_", " "), []).append(problem.detail)
    return [f"{kind}: {', '.join(details)}" for kind, details in found.items()]


def _version(name: str, text: Text | None) -> Version:
    if text is None:
        return Version(name=name, text="(does not write this language)")
    return Version(name=name, text=text.text or "(no text)", problems=_problems(text))
