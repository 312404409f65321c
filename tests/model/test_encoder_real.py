"""The bundled encoder's int8 export beside the float encoder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from grading.encoder import UNRELATED_SENTENCES, Encoder
from grading.encoder_loading import load_encoder
from grading.onnx_encoder import OnnxEncoder

pytestmark = [pytest.mark.model, pytest.mark.slow]

NAME = "bundled:multilingual-e5-small"
SENTENCES = (
    *UNRELATED_SENTENCES,
    "Dropout switches off random units during training, so that no unit relies on another.",
    "드롭아웃은 학습할 때 뉴런을 무작위로 꺼서 과적합을 줄인다.",
    "idk, maybe the loss gets smaller because the weights change??",
    "경사 소실은 층이 깊을수록 기울기가 0에 가까워져 앞쪽 층이 배우지 못하는 문제이다.",
)


@pytest.fixture(scope="module")
def float_encoder(models_path: Path) -> Encoder:
    return load_encoder(NAME, models_path, backend="torch")


@pytest.fixture(scope="module")
def encoder(models_path: Path) -> Encoder:
    return load_encoder(NAME, models_path, backend="onnx")


def test_int8_gives_nearly_the_vectors_of_the_float_encoder(
    float_encoder: Encoder, encoder: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(encoder, OnnxEncoder)
    ours, its = float_encoder.read(SENTENCES), encoder.read(SENTENCES)
    pooled = np.array([a.vector @ b.vector for a, b in zip(ours, its, strict=True)])
    tokens = np.concatenate(
        [
            (a.states * b.states).sum(axis=1) / (np.linalg.norm(a.states, axis=1) * np.linalg.norm(b.states, axis=1))
            for a, b in zip(ours, its, strict=True)
        ]
    )
    with capsys.disabled():
        sys.stdout.write(
            f"\n  int8, cosine: sentences min {pooled.min():.4f} mean {pooled.mean():.4f}, tokens {tokens.mean():.4f}\n"
        )
    assert pooled.min() >= 0.98
    assert pooled.mean() >= 0.99
    assert tokens.mean() >= 0.97
    assert encoder.version != float_encoder.version
    assert abs(encoder.floor - float_encoder.floor) < 0.02


def test_torch_reads_what_sentence_transformers_encodes(float_encoder: Encoder) -> None:
    vectors = np.stack([read.vector for read in float_encoder.read(SENTENCES)])
    assert np.allclose(vectors, float_encoder.encode(SENTENCES), atol=1e-5)


def test_a_word_of_the_answer_can_be_cited(encoder: Encoder) -> None:
    text = "드롭아웃은 과적합(overfitting)을 줄인다."
    [states] = encoder.read([text], context=["What does dropout do?"])
    spans = states.spans[states.is_content].tolist()
    assert "".join(text[place] for place in sorted({n for start, end in spans for n in range(start, end)})) == (
        text.replace(" ", "")
    )
    assert max(end - start for start, end in spans) <= len("overfitting")
