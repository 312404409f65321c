"""``make chaos``: the whole run and a small one with the real models. A table of figures; exit 1 on any violation."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Figures, run
from tests.chaos.size import BIG, SMALL, TWENTY


def main() -> int:
    """Run both parts; how many violations there were, at most 1."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--small", action="store_true", help="the size of the test")
    parser.add_argument("--no-models", action="store_true", help="without the part with the real models")
    options = parser.parse_args()
    console = Console(width=120)
    figures = [run(SMALL if options.small else BIG, seed=options.seed, say=console.log)]
    if not options.no_models:
        console.log("two dozen answers with the real models")
        models = {"grader_model": "bundled:multilingual-e5-small", "explainer": "local"}
        figures.append(run(TWENTY, seed=options.seed, say=console.log, **models))
    for title, each in zip(("tiny encoder and template", "real models"), figures, strict=False):
        _print(console, title, each)
    return int(any(each.violations for each in figures))


def _print(console: Console, title: str, figures: Figures) -> None:
    table = Table("what", "how often", title=f"{title}: {figures.seconds:.0f} s", title_justify="left")
    for name, count in figures.counts.items():
        table.add_row(name, f"{count:,}")
    table.add_row("violations", str(len(figures.violations)))
    console.print(table)
    for violation in figures.violations[:50]:
        console.print(f"  {violation}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
