"""With a capable model on an OpenAI-compatible server most texts are the model's, in English and in Korean.

The model is scripted: it reads nothing but the chat it is sent, as any model would, and words the notes in it freely.
Grader, feedback and checks are the real ones.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from config import load_settings
from finetune.explainer_examples import question_of
from grading.explanation.explainer import Explainer, Explanation, Item
from grading.explanation.generators import ServerGenerator
from grading.grader import Grader, load_grader
from grading.samples import load_samples

pytestmark = pytest.mark.model

_OPENINGS = {
    "en": {
        "very good": ("You have got it all.", "A complete answer, lovely."),
        "good": ("You are nearly there.", "A strong answer with a gap."),
        "half of it": ("You are half way there.", "About half of it is in place."),
        "a first step": ("You have made a first step.", "A beginning is there."),
        "not there yet": ("This is not the answer yet, but keep going.", "Not there yet, so let us look together."),
    },
    "ko": {
        "very good": ("핵심을 모두 짚었어요.", "빠짐없이 잘 썼어요."),
        "good": ("거의 다 왔어요.", "잘 썼는데 조금 모자라요."),
        "half of it": ("절반쯤 왔어요.", "절반은 갖추었어요."),
        "a first step": ("첫걸음을 뗐어요.", "시작은 했어요."),
        "not there yet": ("아직은 답이 되지 않았지만 계속해 봐요.", "아직 부족하니 함께 살펴봐요."),
    },
}
_SENTENCES = {
    "en": {
        "Good": ("I like how you treat {}.", "What you say on {} is right."),
        "Mixed up": ("Something went wrong with {}: look at it again.", "You have mixed up {}."),
        "Vague": ("{} is still a little vague.", "Be more exact on {}."),
        "Missing": ("{} is still missing.", "What your answer lacks is {}."),
        "Next": ("Next, {}.", "As a next step, {}."),
    },
    "ko": {
        "Good": ("{} 부분은 잘 설명했어요.", "{} 부분은 맞아요."),
        "Mixed up": ("{} 부분은 헷갈린 것 같으니 다시 살펴보세요.", "{} 부분은 틀렸어요."),
        "Vague": ("{} 부분은 조금 모호해요.", "{} 부분은 더 정확하게 써 보세요."),
        "Missing": ("{} 부분이 빠졌어요.", "아직 {} 부분이 없어요."),
    },
}


def tutor(request: Request) -> Response:
    """Two to four sentences of one's own on the notes of the chat."""
    system, user = (message["content"] for message in request.get_json()["messages"])
    language = "ko" if "Korean" in system else "en"
    notes = dict(re.findall(r"^([A-Z][^:]+): (.+)$", user, re.MULTILINE))
    chance = random.Random(user)
    told = [chance.choice(_OPENINGS[language][notes["Answer"]])]
    told += [chance.choice(ways).format(notes[label]) for label, ways in _SENTENCES[language].items() if label in notes]
    text = " ".join(sentence[0].upper() + sentence[1:] for sentence in told)
    reply = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    return Response(json.dumps(reply), mimetype="application/json")


@pytest.fixture(scope="module")
def grader(models_path: Path) -> Grader:
    return load_grader(load_settings(data_dir=models_path.parent))


def items_of(grader: Grader, language: str) -> list[Item]:
    """Three answers to each question of the sample bank, as the grader sees them."""
    found: list[Item] = []
    for sample in load_samples(language):
        question = question_of(sample)
        answers = [answer.text for answer in sample.answers[:6:2]]
        found += zip([question] * len(answers), answers, grader.assess(question, answers), strict=True)
    return found


def asked(explanations: Sequence[Explanation]) -> list[Explanation]:
    """Those that a model was asked for: a blank answer has a fixed text."""
    return [each for each in explanations if "explainer" in each.versions]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_four_texts_in_five_are_the_models(language: str, grader: Grader, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(tutor)
    explainer = Explainer(ServerGenerator(httpserver.url_for("/v1"), "tutor"))
    found = asked(explainer.explain(items_of(grader, language)))
    assert len(found) > 80
    refused = Counter(reason.split(":")[0] for each in found for reason in each.refused)
    share = sum(each.source == "LLM" for each in found) / len(found)
    assert share >= 0.8, f"{share:.0%}; refused: {refused}"
