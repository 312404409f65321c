"""A report as data, and that data as one page that needs nothing else: no script, no network, no other file.

::

    GraderEvaluation, ExplainerEvaluation, a training's metrics ──▶ Report ──report_html──▶ report.html

Whoever has figures to show builds a :class:`Report`; only this module knows HTML. Everything is text here and is
escaped there, students' words above all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from finetune.evaluation.plots import Plot, plot_svg
from finetune.evaluation.resampling import Figure

LONG = 400
"""Characters of a long text that are shown at once."""

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LongText:
    """Somebody's words: shown up to :data:`LONG` characters, the rest on demand; ``lead`` stands above, smaller."""

    text: str
    lead: str = ""

    @property
    def beginning(self) -> str:
        """What is shown at once."""
        return self.text[:LONG]

    @property
    def rest(self) -> str:
        """What is shown on demand."""
        return self.text[LONG:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A few words with a smaller note below them."""

    text: str
    note: str


Cell = str | int | Figure | Noted | LongText


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``rows`` below the names of ``columns``; those after the first ``shown`` are folded away.

    A :class:`Figure` is shown with its interval, a whole number as it is.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    shown: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots:
    """Figures beside each other, with a caption each."""

    plots: Sequence[tuple[Plot, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A sentence that says how it went, with reasons below."""

    is_good: bool
    text: str
    reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of several texts for the same thing; ``problems`` says what is wrong with it, empty when nothing is."""

    name: str
    text: str
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Texts side by side, below what they are about."""

    question: str
    answer: LongText
    versions: Sequence[Version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Several of them."""

    samples: Sequence[Sample]


Block = Table | Plots | Finding | Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, a sentence or two, and what is shown."""

    title: str
    blocks: Sequence[Block]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a page shows. ``facts`` are names and values: which model, which data, when."""

    title: str
    lead: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]


def report_html(report: Report) -> str:
    """The whole page."""
    return _template().render(report=report)


def number(value: float, digits: int = 3) -> str:
    """A number for people, with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", _MINUS)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["svg"] = plot_svg
    environment.filters["kind"] = lambda value: type(value).__name__
    return environment.get_template("report.html")
