"""Which answers a grader has learnt, as hashes beside it: nothing is judged by what it was trained on.

::

    training ──question and answer, hashed──▶ run/learnt.safetensors ──▶ gate, evaluation: known? left out, or counted

A dataset keeps its test part away from trainings, but a table is learnt whole, and may be imported afterwards. The text
is compared as parts are cut: case, white space and punctuation aside.

A hash has eight bytes and leads to no person. Whoever has the folder can try out whether an answer that they know word
for word was learnt, and nothing else; the key, which is the digest of the data, keeps two folders from being compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from finetune.dataset.parts import normalised
from finetune.graded_questions import GradedQuestion

LEARNT = "learnt.safetensors"
_BYTES = 8
_LONGEST_KEY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntAnswers:
    """Hashes of questions with answers to them, made with ``key``."""

    key: str
    hashes: frozenset[int]

    def knows(self, prompt: str, answer: str) -> bool:
        """Whether this answer to this question was learnt."""
        return hash_of(self.key, prompt, answer) in self.hashes


def write_learnt(output: Path, questions: Sequence[GradedQuestion], *, key: str, start: Path | None = None) -> None:
    """Leave in ``output`` what a training on ``questions`` knows, with all that ``start`` knew, which has the key."""
    import numpy as np
    from safetensors.numpy import save_file

    before = read_learnt(start) if start is not None else None
    known = before or LearntAnswers(key=key, hashes=frozenset())
    own = {hash_of(known.key, graded.question.prompt, answer.text) for graded in questions for answer in graded.answers}
    output.mkdir(parents=True, exist_ok=True)
    hashes = np.array(sorted(own | known.hashes), dtype=np.uint64)
    save_file({"hashes": hashes}, output / LEARNT, metadata={"key": known.key})


def read_learnt(folder: Path | None) -> LearntAnswers | None:
    """What the model in ``folder`` has learnt; ``None`` where it does not say, as older runs and the bundled model."""
    if folder is None or not (folder / LEARNT).is_file():
        return None
    from safetensors import safe_open

    with safe_open(folder / LEARNT, framework="numpy") as opened:
        key = (opened.metadata() or {}).get("key", "")
        return LearntAnswers(key=key, hashes=frozenset(opened.get_tensor("hashes").tolist()))


def count_learnt(learnt: LearntAnswers | None, questions: Sequence[GradedQuestion]) -> int | None:
    """How many of the answers were learnt; ``None`` where nobody knows."""
    return None if learnt is None else without_learnt(questions, [learnt])[1]


def without_learnt(
    questions: Sequence[GradedQuestion], models: Sequence[LearntAnswers | None]
) -> tuple[list[GradedQuestion], int]:
    """The questions with the answers that none of the models has learnt, and how many were left out."""
    known = [each for each in models if each is not None]
    left: list[GradedQuestion] = []
    for graded in questions:
        answers = tuple(
            answer
            for answer in graded.answers
            if not any(one.knows(graded.question.prompt, answer.text) for one in known)
        )
        if answers:
            left.append(replace(graded, answers=answers))
    return left, _count(questions) - _count(left)


def hash_of(key: str, prompt: str, answer: str) -> int:
    """Eight bytes of an answer to a question."""
    text = f"{normalised(prompt)}\n{normalised(answer)}"
    hashed = blake2b(text.encode(errors="replace"), digest_size=_BYTES, key=key.encode()[:_LONGEST_KEY])
    return int.from_bytes(hashed.digest(), "big")


def _count(questions: Sequence[GradedQuestion]) -> int:
    return sum(len(graded.answers) for graded in questions)
