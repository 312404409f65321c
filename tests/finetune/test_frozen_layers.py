"""The frozen layers are passed over, and nothing but the time of a step changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from finetune.frozen_layers import LowerStates, TopStates, frozen_layers
from finetune.reader_batches import ReaderTraining
from finetune.reader_encoder import TrainableEncoder, trainable_encoder
from finetune.reader_examples import Text
from finetune.reader_states import EncodedStates, StoredStates
from finetune.reader_tokens import tokens_of
from tests.conftest_models import ARCHITECTURES, build_tiny_transformer

TEXTS: list[Text] = [("a step", None), ("the gradient goes down", None), ("cats sleep all day long", None)] * 6
CPU = torch.device("cpu")
TRAINING = ReaderTraining(mode="lora", lora_layers=1, rank=4)


def encoder_of(folder: Path, training: ReaderTraining = TRAINING) -> TrainableEncoder:
    torch.manual_seed(1)
    encoder = trainable_encoder(str(folder), name="tiny", training=training, start=None)
    assert encoder.adapter is not None
    with torch.no_grad():
        for name, parameter in encoder.adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    encoder.adapter.eval()
    return encoder


def frozen_of(encoder: TrainableEncoder) -> list[torch.nn.Module]:
    assert encoder.adapter is not None
    return frozen_layers(encoder.adapter.get_base_model())  # pyright: ignore[reportArgumentType]


def top_states(encoder: TrainableEncoder, folder: Path) -> TopStates:
    """What a training makes: the frozen layers read everything once, and are passed from then on."""
    tokens = tokens_of(TEXTS, encoder.tokenizer, prefix="", pad_id=encoder.pad_id, max_tokens=64)
    frozen = frozen_of(encoder)
    given = (encoder.model, tokens, encoder.pad_id, CPU)
    lower = LowerStates(*given, frozen[-1])
    kept = StoredStates(
        lower,
        tokens,
        folder,
        key="",
        dimension=encoder.dimension,
        pad_id=encoder.pad_id,
        device=CPU,
        tell=lambda *_: None,
    )
    assert encoder.adapter is not None
    return TopStates(
        *given,
        transformer=encoder.adapter.get_base_model(),  # pyright: ignore[reportArgumentType]
        frozen=frozen,
        lower=kept,
        is_tuple=lower.is_tuple,
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_those_of_the_whole_encoder(architecture: str, tmp_path: Path) -> None:
    encoder = encoder_of(build_tiny_transformer(tmp_path / architecture, architecture))
    tokens = tokens_of(TEXTS, encoder.tokenizer, prefix="", pad_id=encoder.pad_id, max_tokens=64)
    with torch.inference_mode():
        whole = EncodedStates(encoder.model, tokens, encoder.pad_id, CPU).side(TEXTS)
        top = top_states(encoder, tmp_path / "states").side(TEXTS)
    assert torch.equal(top.ids, whole.ids)
    assert torch.equal(top.mask, whole.mask)
    # The file keeps half the digits.
    assert (top.states - whole.states)[whole.mask].abs().mean() < 0.003 * whole.states[whole.mask].abs().mean()


def test_only_the_layers_that_learn_get_gradients(tmp_path: Path) -> None:
    encoder = encoder_of(build_tiny_transformer(tmp_path / "bert", "bert"))
    top_states(encoder, tmp_path / "states").side(TEXTS).states.sum().backward()
    assert encoder.adapter is not None
    learned = {name for name, each in encoder.adapter.named_parameters() if each.grad is not None}
    assert learned
    assert all(".layer.2." in name for name in learned)


def test_nothing_is_frozen_where_all_layers_learn(tmp_path: Path) -> None:
    folder = build_tiny_transformer(tmp_path / "bert", "bert")
    assert len(frozen_of(encoder_of(folder))) == 2
    assert frozen_of(encoder_of(folder, replace(TRAINING, lora_layers=None))) == []


def test_an_encoder_built_otherwise_is_read_whole() -> None:
    strange = torch.nn.Sequential(torch.nn.Linear(2, 2))
    strange.config = SimpleNamespace(model_type="strange")  # pyright: ignore[reportAttributeAccessIssue]
    assert frozen_layers(strange) == []  # pyright: ignore[reportArgumentType]
