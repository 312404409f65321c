"""A few questions with short answers, for training a reader in seconds."""

from __future__ import annotations

from dataclasses import replace

from finetune.graded_answer import GradedAnswer
from finetune.graded_questions import GradedQuestion, sample_questions
from finetune.reader_batches import ReaderTraining
from grading.domain import Question

TINY = ReaderTraining(
    epochs=1, folds=2, batch_size=64, layers=2, lora_layers=1, max_tokens=32, steps_per_checkpoint=2, made_up_share=0.5
)


def few_questions(count: int = 8, answers: int = 3) -> list[GradedQuestion]:
    """English questions of the sample bank with verdicts: the first has all its key points, the others only one."""
    chosen = [graded for graded in sample_questions() if graded.question.language == "en"][:count]
    return [_cut(graded, answers, None if number == 0 else 1) for number, graded in enumerate(chosen)]


def _cut(graded: GradedQuestion, answers: int, points: int | None) -> GradedQuestion:
    return replace(
        graded,
        question=replace(graded.question, key_points=graded.question.key_points[:points]),
        answers=tuple(replace(each, verdicts=each.verdicts[:points]) for each in graded.answers[:answers]),
    )


def scored_question(number: int = 0, source: str = "course", answers: int = 2) -> GradedQuestion:
    """A question of a file of tutors' scores: no key points, no verdicts."""
    return GradedQuestion(
        source=source,
        group=f"{source} {number}",
        question=Question(
            prompt=f"What does model {number} learn?",
            model_answers=("It learns weights. It lowers the loss.",),
            language="en",
        ),
        answers=tuple(
            GradedAnswer(text=f"it learns {each} weights from the data", score=0.5) for each in range(answers)
        ),
    )
