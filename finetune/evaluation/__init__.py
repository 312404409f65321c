"""How good a model is, on answers that it was not trained on, as figures with intervals and as a page.

::

    graded answers ──grader──▶ Judged ──▶ figures, slices, curves ──▶ GraderEvaluation ──▶ Report ──▶ report.html
                                  │                                          └──as_json──▶ metrics.json
                                  └─ two of them ──▶ Comparison ──▶ is_not_worse ──▶ Verdict

Pure: graded questions and anything that assesses go in. ``mlquiz evaluate`` (:mod:`finetune.evaluation_cli`) reads
files and loads models.
"""

from __future__ import annotations

from finetune.evaluation.comparison import Comparison, Difference, compared
from finetune.evaluation.explainer_evaluation import ExplainerEvaluation, evaluate_explainer
from finetune.evaluation.explainer_report import explainer_report
from finetune.evaluation.grader_evaluation import Against, GraderEvaluation, evaluate_grader, evaluation_of
from finetune.evaluation.grader_report import grader_report
from finetune.evaluation.judged import Judged, judge_answers
from finetune.evaluation.promotion_gate import Verdict, is_not_worse
from finetune.evaluation.report import Report, report_html
from finetune.evaluation.resampling import Figure

__all__ = [
    "Against",
    "Comparison",
    "Difference",
    "ExplainerEvaluation",
    "Figure",
    "GraderEvaluation",
    "Judged",
    "Report",
    "Verdict",
    "compared",
    "evaluate_explainer",
    "evaluate_grader",
    "evaluation_of",
    "explainer_report",
    "grader_report",
    "is_not_worse",
    "judge_answers",
    "report_html",
]
