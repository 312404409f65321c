"""The bundled language model, trained for real on a few questions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from finetune.explainer_batches import ExplainerTraining
from finetune.explainer_sources import Sources
from finetune.explainer_training import train_explainer
from grading.explanation.generators import LocalGenerator
from grading.models import language_model_folder
from tests.finetune.explainer_builders import few_samples
from tests.unit.explanation_builders import make_feedback

pytestmark = pytest.mark.model

MODEL = "bundled:smollm2-135m-instruct"


def test_eight_questions_lower_the_loss_and_leave_an_adapter_that_serves(models_path: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    folder = language_model_folder(MODEL, models_path)
    samples = [sample.model_copy(update={"answers": sample.answers[2:3]}) for sample in few_samples(6)]
    assert len(samples) == 8
    training = ExplainerTraining(epochs=2, batch_size=3, checked_cases=1, tested_cases=1)
    metrics = train_explainer(Sources(samples=samples), folder, tmp_path, base_name=MODEL, training=training)
    assert metrics["steps"] == 4
    assert metrics["loss"][-1] < metrics["loss"][0]
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 25_000_000
    assert LocalGenerator(folder, tmp_path, name=MODEL).rewrite([make_feedback()])[0]
