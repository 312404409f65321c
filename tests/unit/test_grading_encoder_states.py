"""Token states by torch: every architecture, windows, context, spans, layers and adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grading.encoder import Encoder
from grading.errors import ModelBroken
from grading.token_reader import MOST_CONTEXT_TOKENS, MOST_TOKENS, TokenReader
from grading.token_states import Mark, TokenStates
from tests.conftest_models import ARCHITECTURES, build_tiny_adapter, build_tiny_transformer

TEXTS = ["the learning rate is a step", "학습 가나 다라", "k-means: a, b (c)!", "", "  two  spaces  "]
LONG = " ".join(f"step {number} of the descent" for number in range(60))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(build_tiny_transformer(tmp_path_factory.mktemp("models") / request.param, request.param))


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "bert", "bert")


@pytest.fixture
def bert(bert_folder: Path) -> Encoder:
    return Encoder(bert_folder)


@pytest.fixture
def e5(tmp_path: Path) -> Encoder:
    return Encoder(build_tiny_transformer(tmp_path / "tiny-e5-small", "xlm-roberta"))


def words(states: TokenStates, text: str, mark: Mark = Mark.CONTENT) -> str:
    """The characters that the tokens of this mark stand for; a word's first sign may share its first letter."""
    places = {place for start, end in states.spans[states.marks == mark] for place in range(start, end)}
    return "".join(text[place] for place in sorted(places))


def test_the_vector_is_that_of_sentence_transformers(encoder: Encoder) -> None:
    read = encoder.read(TEXTS)
    assert np.allclose(np.stack([states.vector for states in read]), encoder.encode(TEXTS), atol=1e-5)


def test_the_states_are_those_of_the_last_layer(encoder: Encoder) -> None:
    [states] = encoder.read(TEXTS[:1])
    assert np.allclose(states.states, encoder._model.encode(TEXTS[0], output_value="token_embeddings"), atol=1e-5)
    assert states.ids.tolist() == encoder._model.tokenizer(TEXTS[0])["input_ids"]


def test_what_stands_beside_a_text_does_not_change_it(encoder: Encoder) -> None:
    together = encoder.read([*TEXTS, LONG])
    for text, states in zip([*TEXTS, LONG], together, strict=True):
        assert np.allclose(encoder.read([text])[0].states, states.states, atol=1e-5)


def test_spans_cite_the_text_without_the_spaces_between(encoder: Encoder) -> None:
    text = "  the rate, le step"
    [states] = encoder.read([text])
    assert words(states, text) == "therate,lestep"


def test_the_prefix_is_no_content(e5: Encoder) -> None:
    plain, empty = e5.read(["the rate", ""])
    assert e5.prefix == "query: "
    assert words(plain, "the rate") == "therate"
    assert not empty.is_content.any()
    assert len(empty.ids) > 2
    assert np.allclose(plain.vector, e5.encode(["the rate"])[0], atol=1e-5)


def test_a_context_stands_before_the_text_with_its_own_mark(e5: Encoder) -> None:
    [states] = e5.read(["the rate"], context=["a step"])
    assert words(states, "a step", Mark.CONTEXT) == "astep"
    assert words(states, "the rate") == "therate"
    # <s> query: a step </s> the rate </s>
    signs = states.ids[states.marks == Mark.SPECIAL]
    assert [signs[0], *signs[-2:]] == [0, 2, 2]
    order = [mark for number, mark in enumerate(states.marks) if number == 0 or mark != states.marks[number - 1]]
    assert order == [Mark.SPECIAL, Mark.CONTEXT, Mark.SPECIAL, Mark.CONTENT, Mark.SPECIAL]
    assert not np.allclose(states.states[-3], e5.read(["the rate"])[0].states[-3], atol=1e-3)


def test_a_long_context_is_cut(bert: Encoder) -> None:
    [states] = bert.read([LONG], context=[LONG])
    assert (states.marks == Mark.CONTEXT).sum() == min(MOST_CONTEXT_TOKENS, 128 // 4)
    assert words(states, LONG) == LONG.replace(" ", "")


def test_each_text_needs_its_context(bert: Encoder) -> None:
    with pytest.raises(ValueError, match="2 texts need as many contexts, not 1"):
        bert.read(["a", "b"], context=["c"])


def test_a_long_text_is_read_to_its_end(encoder: Encoder) -> None:
    [states] = encoder.read([LONG])
    assert words(states, LONG) == LONG.replace(" ", "")
    assert len(states.ids) > 3 * 128
    assert np.isfinite(states.states).all()
    assert (np.abs(states.states).sum(axis=1) > 0).all()
    assert (states.marks != Mark.SPECIAL).sum() == len(states.ids) - 2


def test_a_text_has_an_end_all_the_same(bert: Encoder) -> None:
    [states] = bert.read(["a " * 3 * MOST_TOKENS])
    assert states.is_content.sum() == MOST_TOKENS


def test_a_state_comes_from_the_window_where_its_token_is_further_inside(bert: Encoder) -> None:
    windows: list[tuple[int, np.ndarray]] = []

    def forward(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """States that tell the window's number and the place in it."""
        number = len(windows)
        windows.append((number, ids[0][mask[0] == 1]))
        places = np.arange(ids.shape[1], dtype=np.float32)
        return np.stack([np.full_like(places, number), places], axis=1)[None]

    reader = TokenReader(
        bert._model.tokenizer.backend_tokenizer,
        forward,
        prefix="",
        max_tokens=64,
        pad_id=0,
        dimension=2,
        batch_size=1,
    )
    text = "a " * 130
    [states] = reader.read([text], context=["b b b"])
    assert max(len(ids) for _, ids in windows) <= 64
    for token, (number, place) in zip(states.ids, states.states.astype(int), strict=True):
        assert windows[number][1][place] == token
    content = states.states[states.is_content].astype(int)
    inside = {number: len(ids) for number, ids in windows}
    changes = [n for n in range(1, len(content)) if content[n][0] != content[n - 1][0]]
    assert len(changes) == len(windows) - 1
    for n in changes:
        behind = inside[content[n - 1][0]] - 1 - content[n - 1][1]
        before = content[n][1]
        # 16 tokens are shared: each window gives up half of them.
        assert abs(int(behind) - int(before)) <= 1
        assert before >= 8


def test_windows_too_small_for_prefix_and_context_are_refused(bert: Encoder) -> None:
    with pytest.raises(ModelBroken, match="16 tokens"):
        TokenReader(
            bert._model.tokenizer.backend_tokenizer,
            lambda ids, mask: np.zeros((*ids.shape, 2), np.float32),
            prefix="",
            max_tokens=16,
            pad_id=0,
            dimension=2,
            batch_size=1,
        )


def test_remembered_states_are_kept_and_others_are_not(bert: Encoder) -> None:
    [kept] = bert.read(["a b"], remember=True)
    [other] = bert.read(["a c"])
    assert bert.read(["a b"])[0] is kept
    assert bert.read(["a c"])[0] is not other
    assert bert.read(["a b"], context=["a"])[0] is not kept


def test_the_cache_is_bounded(bert: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    [first] = bert.read(["a b"], remember=True)
    monkeypatch.setattr("grading.token_reader._CACHE_BYTES", 2 * first.states.nbytes)
    [second] = bert.read(["a c"], remember=True)
    bert.read(["a b"], remember=True)
    bert.read(["a d"], remember=True)
    assert bert.read(["a b"])[0] is first
    assert bert.read(["a c"])[0] is not second


def test_states_cannot_be_written_to(bert: Encoder) -> None:
    [states] = bert.read(["a b"])
    with pytest.raises(ValueError, match="read-only"):
        states.states[0, 0] = 1


def test_no_texts_give_no_states(bert: Encoder) -> None:
    assert bert.read([]) == []
    assert bert.read([], context=[]) == []


def test_an_encoder_of_fewer_layers_gives_the_states_of_that_layer(bert_folder: Path, bert: Encoder) -> None:
    import torch

    cut = Encoder(bert_folder, layers=2)
    [states] = cut.read(["the rate"])
    transformer = bert._model[0].auto_model
    with torch.inference_mode():
        hidden = transformer(torch.from_numpy(states.ids[None].copy()), output_hidden_states=True).hidden_states
    assert np.allclose(states.states, hidden[2][0].numpy(), atol=1e-5)
    assert cut.version != bert.version


@pytest.mark.parametrize("layers", [0, 4, -1])
def test_layers_that_are_not_there_are_refused(bert_folder: Path, layers: int) -> None:
    with pytest.raises(ModelBroken, match="layers are asked for, the encoder has 3"):
        Encoder(bert_folder, layers=layers)


def test_an_adapter_is_merged_in(bert_folder: Path, bert: Encoder, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    folder = build_tiny_adapter(tmp_path / "adapter", bert_folder)
    adapted = Encoder(bert_folder, adapter=folder)
    [states] = adapted.read(["the rate"])
    # What LoRA is: the product of two thin matrices, times alpha / r, added to the weights.
    thin = load_file(folder / "adapter_model.safetensors")
    place = "encoder.layer.0.attention.self.query"
    added = 2 * thin[f"base_model.model.{place}.lora_B.weight"] @ thin[f"base_model.model.{place}.lora_A.weight"]
    before, after = (each._model[0].auto_model.get_submodule(place).weight for each in (bert, adapted))
    assert np.allclose((after - before).detach().numpy(), added, atol=1e-5)
    assert not np.allclose(states.vector, bert.read(["the rate"])[0].vector, atol=1e-3)
    assert np.allclose(adapted.encode(["the rate"])[0], states.vector, atol=1e-5)
    assert adapted.version not in (bert.version, Encoder(bert_folder, adapter=folder, layers=2).version)


def test_a_folder_without_an_adapter_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match=r"adapter_config\.json"):
        Encoder(bert_folder, adapter=tmp_path)
