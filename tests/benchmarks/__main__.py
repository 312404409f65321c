"""``make bench``: figures for a person to read; none of them is a test.

Each figure stands beside the one it is to be compared with in the same run, because shared machines are noisy.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import psutil

from config import load_settings
from grading.encoder_loading import load_encoder
from grading.explanation.feedback_making import feedback_from
from grading.explanation.template import template_text
from grading.grader import load_grader
from grading.samples import load_samples
from tests.benchmarks import explaining, explanation_checks, grading_quality, grading_speed, launches
from tests.benchmarks.explaining import question_from
from tests.benchmarks.fresh_process import in_a_fresh_process

RUNS = 20


def main() -> None:
    """Measure the parts named on the command line (default: all) and print the figures as JSON."""
    parts = {
        "web": web_process,
        "launches": launches.measure,
        "grading": grading_speed.measure,
        "quality": grading_quality.measure,
        "grader": grader,
        "explainer": explaining.measure,
        "checks": explanation_checks.measure,
    }
    figures = {name: measure() for name, measure in parts.items() if name in (sys.argv[1:] or parts)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def web_process() -> dict[str, float]:
    """Start and memory of the web application, beside an interpreter that imports torch."""
    app = (
        "import time; began = time.perf_counter();"
        "import psutil, lti_tool; from config import load_settings;"
        "lti_tool.create_app(load_settings(broker_url='redis://127.0.0.1:1/0'));"
        "print(time.perf_counter() - began, psutil.Process().memory_info().rss / 2**20)"
    )
    torch = (
        "import time; began = time.perf_counter(); import psutil, torch;"
        "print(time.perf_counter() - began, psutil.Process().memory_info().rss / 2**20)"
    )
    seconds, megabytes = in_a_fresh_process(app)
    torch_seconds, torch_megabytes = in_a_fresh_process(torch)
    return {
        "start_seconds": seconds,
        "memory_mb": megabytes,
        "start_as_share_of_importing_torch": seconds / torch_seconds,
        "memory_as_share_of_importing_torch": megabytes / torch_megabytes,
    }


def grader() -> dict[str, float]:
    """One answer graded, beside two plain calls of the encoder (answer and model answer); and the template's text."""
    bench = load_grader(load_settings())
    sample = load_samples("en")[0]
    question, answer = question_from(sample), sample.answers[0].text
    encoder = load_encoder("bundled:multilingual-e5-small", load_settings().models_path, backend="torch")
    assessment = bench.assess(question, [answer])[0]
    graded = _seconds(lambda: bench.assess(question, [answer]))
    encoded = _seconds(lambda: [encoder.encode([text]) for text in (answer, sample.model_answers[0])])
    worded = _seconds(lambda: template_text(feedback_from(question, answer, assessment)))
    return {
        "seconds_an_answer": graded,
        "as_share_of_two_encoder_calls": graded / encoded,
        "template_milliseconds": worded * 1000,
        "memory_mb": psutil.Process().memory_info().rss / 2**20,
    }


def _seconds(work: Callable[[], object]) -> float:
    """Median of twenty runs after one that warms up."""
    work()
    durations = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)


if __name__ == "__main__":
    main()
