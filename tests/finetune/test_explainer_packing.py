"""Batches: what is learnt is the reply only, and packed examples do not see each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from finetune.errors import TooFewExamples
from finetune.explainer_batches import IGNORED, Batch, Batching, ExplainerTraining, Row, batching_of, packed, padded
from finetune.explainer_examples import ExplainerCase, cases_from, cases_of
from finetune.explainer_model import adapted, base_model, can_pack, logits_of
from finetune.explainer_training import loss_of
from tests.finetune.explainer_builders import SMALL, build_tiny_lm, few_samples

MAKES = ("llama", "qwen2", "qwen3")
CPU = torch.device("cpu")
ROWS: list[Row] = [([20, 21, 22, 23, 24], [30, 31, 0]), ([25, 26, 27], [32, 33, 34, 0]), ([28, 29], [35, 0])]


@pytest.fixture(scope="module", params=MAKES)
def model_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Model and tokenizer of each make, in float32 whatever the processor likes best."""
    folder = build_tiny_lm(tmp_path_factory.mktemp("models") / request.param, request.param)
    model, tokenizer = base_model(folder, SMALL)
    return model.float(), tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_lm_folder: Path) -> Any:
    return base_model(tiny_lm_folder, SMALL)[1]


@pytest.fixture(scope="module")
def cases() -> list[ExplainerCase]:
    return cases_of(cases_from(few_samples()), "train")


@pytest.fixture(scope="module")
def batching(tokenizer: Any, cases: list[ExplainerCase]) -> Batching:
    return batching_of(tokenizer, cases, SMALL)


def foretold(batch: Batch) -> list[list[int]]:
    """The tokens that each row shall learn."""
    return [[label for label in row if label != IGNORED] for row in batch.labels.tolist()]


# What is learnt ---------------------------------------------------------------------------------------------------


def test_padded_labels_are_the_replies_and_nothing_else(tokenizer: Any) -> None:
    batch = padded(ROWS, tokenizer, CPU)
    assert foretold(batch) == [reply for _, reply in ROWS]


def test_packed_labels_are_the_replies_and_nothing_else() -> None:
    batch = packed(ROWS, torch.float32, CPU)
    assert foretold(batch) == [[token for _, reply in ROWS for token in reply]]


def test_each_label_is_the_token_after_its_place(tokenizer: Any, batching: Batching) -> None:
    for rows in batching.groups:
        for batch in (padded(rows, tokenizer, CPU), packed(rows, torch.float32, CPU)):
            following = batch.tokens[:, batch.kept + 1]
            counted = batch.labels != IGNORED
            assert torch.equal(following[counted], batch.labels[counted])


def test_every_reply_ends_with_the_mark_of_its_end(tokenizer: Any, batching: Batching) -> None:
    assert {row[1][-1] for rows in batching.groups for row in rows} == {tokenizer.eos_token_id}


def test_the_loss_is_that_of_the_reply_tokens_alone(model_of: tuple[Any, Any]) -> None:
    model, tokenizer = model_of
    with torch.inference_mode():
        found = float(loss_of(model, padded(ROWS, tokenizer, CPU)))
        expected: list[float] = []
        for chat, reply in ROWS:
            logits = model(input_ids=torch.tensor([chat + reply])).logits[0].log_softmax(-1)
            expected += [-float(logits[len(chat) + place - 1, token]) for place, token in enumerate(reply)]
    assert found == pytest.approx(sum(expected) / len(expected), abs=1e-4)


# Packing ----------------------------------------------------------------------------------------------------------


def test_positions_begin_anew_with_each_packed_example() -> None:
    batch = packed(ROWS, torch.float32, CPU)
    assert batch.positions[0].tolist() == [*range(8), *range(7), *range(4)]
    assert batch.tokens.shape == (1, 8 + 7 + 4)


def test_the_mask_shows_a_token_only_what_came_before_in_its_own_example() -> None:
    seen = packed(ROWS, torch.float32, CPU).mask[0, 0] == 0
    owner = [0] * 8 + [1] * 7 + [2] * 4
    for place, row in enumerate(seen.tolist()):
        assert [other for other, is_seen in enumerate(row) if is_seen] == [
            other for other in range(place + 1) if owner[other] == owner[place]
        ]


def test_padding_moves_no_position_and_is_masked(tokenizer: Any) -> None:
    batch = padded(ROWS, tokenizer, CPU)
    assert batch.positions.tolist() == [[*range(8)], [0, *range(7)], [0] * 4 + [*range(4)]]
    assert batch.mask.sum(1).tolist() == [8, 7, 4]


def test_packed_examples_do_not_see_each_other(model_of: tuple[Any, Any]) -> None:
    model, _ = model_of
    others: list[Row] = [([40, 41, 42, 43, 44], [45, 46, 0]), ROWS[1], ([47, 48], [49, 0])]
    with torch.inference_mode():
        one, other = (logits_of(model, packed(rows, torch.float32, CPU))[0, 3:7] for rows in (ROWS, others))
    assert torch.allclose(one, other, atol=1e-5)


def test_a_packed_example_reads_as_it_does_alone(model_of: tuple[Any, Any]) -> None:
    model, _ = model_of
    with torch.inference_mode():
        together = logits_of(model, packed(ROWS, torch.float32, CPU))[0, 3:7]
        alone = logits_of(model, packed(ROWS[1:2], torch.float32, CPU))[0]
    assert torch.allclose(together, alone, atol=1e-4)


def test_packing_gives_the_loss_and_the_gradients_of_padding(model_of: tuple[Any, Any]) -> None:
    model, tokenizer = model_of
    gradients: list[torch.Tensor] = []
    losses: list[float] = []
    for batch in (padded(ROWS, tokenizer, CPU), packed(ROWS, torch.float32, CPU)):
        model.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(model.model.layers[0].mlp.up_proj.weight.grad.clone())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)


def test_makes_whose_attention_takes_a_mask_can_pack(model_of: tuple[Any, Any]) -> None:
    assert can_pack(model_of[0])


def test_a_model_that_mixes_neighbours_without_a_mask_cannot_pack(tmp_path: Path) -> None:
    model, _ = base_model(build_tiny_lm(tmp_path / "model", "llama"), SMALL)

    class Smear(torch.nn.Module):
        """As convolutions and state spaces do."""

        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return self.inner(states + states.cumsum(1))

    model.model.layers[0].mlp = Smear(model.model.layers[0].mlp)
    assert not can_pack(model)


def test_a_model_that_refuses_the_mask_cannot_pack(tmp_path: Path) -> None:
    model, _ = base_model(build_tiny_lm(tmp_path / "model", "llama"), SMALL)

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("a mask of four dimensions")

    model.forward = refuse
    assert not can_pack(model)


def test_a_model_with_an_adapter_packs_as_well(tiny_lm_folder: Path) -> None:
    assert can_pack(adapted(base_model(tiny_lm_folder, SMALL)[0], SMALL))


# All steps --------------------------------------------------------------------------------------------------------


def test_equal_seeds_give_equal_batches_and_other_seeds_others(tokenizer: Any, cases: list[ExplainerCase]) -> None:
    first, again, other = (
        batching_of(tokenizer, cases, ExplainerTraining(epochs=1, seed=seed)).groups for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_each_epoch_has_replies_of_its_own_and_as_many_steps(batching: Batching) -> None:
    steps = batching.steps_per_epoch
    assert len(batching.groups) == SMALL.epochs * steps
    first, second = (
        {tuple(row[1]) for rows in groups for row in rows}
        for groups in (batching.groups[:steps], batching.groups[steps:])
    )
    assert len(second - first) > len(second) / 2


def test_an_example_that_is_too_long_is_counted_and_not_cut(tokenizer: Any, cases: list[ExplainerCase]) -> None:
    every = batching_of(tokenizer, cases, ExplainerTraining(epochs=1))
    lengths = sorted(len(row[0]) + len(row[1]) for rows in every.groups for row in rows)
    fewer = batching_of(tokenizer, cases, ExplainerTraining(epochs=1, max_tokens=lengths[-1] - 1))
    assert fewer.too_long == lengths.count(lengths[-1])
    assert sum(map(len, fewer.groups)) == len(lengths) - fewer.too_long


def test_where_all_are_too_long_it_is_said(tokenizer: Any, cases: list[ExplainerCase]) -> None:
    with pytest.raises(TooFewExamples, match="no reply to learn"):
        batching_of(tokenizer, cases, ExplainerTraining(epochs=1, max_tokens=10))
