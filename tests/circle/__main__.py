"""``make circle``: once round with the bundled models and real trainings. A table of what was seen; 1 on a failure."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.circle.run import Seen, run
from tests.circle.size import bundled, small
from tests.circle.stations import STATIONS
from tests.conftest_lm import build_tiny_lm
from tests.conftest_models import build_tiny_transformer

MODELS = Path(__file__).resolve().parents[2] / ".mlquiz" / "models"


def main() -> int:
    """Go round; 0 only if every station showed what it should."""
    options = _options()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="mlquiz-circle-models-") as name:
        if options.small:
            folder = Path(name)
            size = small(build_tiny_transformer(folder / "bert", "bert", tokens=48), build_tiny_lm(folder / "lm"))
        else:
            size = bundled(
                mode=options.mode,
                epochs=options.epochs,
                explainer_epochs=options.explainer_epochs,
                has_bank=options.bank,
                threads=options.threads,
                is_thinned=options.few_cases,
            )
        seen = run(size, MODELS, say=lambda text: console.log(text, markup=False), stations=options.stations)
    _print(console, seen)
    return int(len(seen) < options.stations or not all(each.is_well for each in seen))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.circle", description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny models of random weights, as the test")
    parser.add_argument("--mode", choices=["reader", "lora"], default="reader", help="what of the grader learns")
    parser.add_argument("--epochs", type=int, help="passes of the grader (default: the command's)")
    parser.add_argument("--explainer-epochs", type=int, default=1, help="passes of the explainer (%(default)s)")
    parser.add_argument(
        "--bank",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the explainer learns from the sample bank too",
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="cores of a training (%(default)s)")
    parser.add_argument(
        "--few-cases", action="store_true", help="judge graders by a small part of the behaviour suite, in seconds"
    )
    parser.add_argument("--stations", type=int, default=len(STATIONS), help="only the first so many (%(default)s)")
    return parser.parse_args()


def _print(console: Console, seen: list[Seen]) -> None:
    table = Table("station", "seen", "seconds", title="The circle", title_justify="left", show_lines=True)
    for each in seen:
        mark = "✓" if each.is_well else "✗"
        table.add_row(f"{mark} {each.station}", Text(each.what), f"{each.seconds:.0f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
