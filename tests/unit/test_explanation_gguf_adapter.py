"""Adding a LoRA adapter into a GGUF file, beside what peft makes of the same adapter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import load_file, save_file

from grading.explanation.errors import GeneratorRefused
from grading.explanation.gguf_adapter import lora_deltas, write_merged_gguf
from grading.gguf_archive import llama_order, rotary_order, transformers_name
from grading.models import LANGUAGE_MODELS, adapter_folder, package_file

pytestmark = pytest.mark.model

ADAPTER = Path(adapter_folder("bundled:explainer-en") or "")
BASE = package_file(LANGUAGE_MODELS[0])


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_merged_gguf(BASE, ADAPTER, target)
    return target


def other_adapter(folder: Path, **config: object) -> Path:
    shutil.copytree(ADAPTER, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


def test_each_matrix_is_that_of_peft_but_for_eight_bits(merged: Path) -> None:
    deltas = lora_deltas(ADAPTER)
    before = {transformers_name(str(each.name)): each for each in GGUFReader(BASE).tensors}
    after = {transformers_name(str(each.name)): each for each in GGUFReader(merged).tensors}
    assert before.keys() == after.keys()
    assert len(deltas) == 15 * 7
    heads = {"q_proj": 9, "k_proj": 3}
    for name, tensor in after.items():
        weights = dequantize(tensor.data, tensor.tensor_type)
        wanted = dequantize(before[name].data, before[name].tensor_type)
        if name in deltas:
            kind = name.split(".")[-2]
            assert np.abs(deltas[name]).max() > 0
            wanted = wanted + (llama_order(deltas[name], heads[kind]) if kind in heads else deltas[name])
        # Q8_0 has 127 steps to each side in every block of 32; norms are kept as they are.
        assert np.abs(weights - wanted).max() <= (0 if "norm" in name else np.abs(wanted).max() / 127)


def test_tokenizer_and_chat_template_are_kept(merged: Path) -> None:
    before, after = GGUFReader(BASE).fields, GGUFReader(merged).fields
    kept = [name for name in before if not name.startswith("GGUF.")]
    assert "tokenizer.chat_template" in kept
    assert all(before[name].contents() == after[name].contents() for name in kept)


def test_without_an_adapter_the_weights_stay(tmp_path: Path) -> None:
    write_merged_gguf(BASE, None, tmp_path / "model.gguf")
    for one, other in zip(GGUFReader(BASE).tensors, GGUFReader(tmp_path / "model.gguf").tensors, strict=True):
        before, after = (dequantize(each.data, each.tensor_type) for each in (one, other))
        assert np.abs(before - after).max() <= np.abs(before).max() / 127


def test_the_two_orders_of_rows_undo_each_other() -> None:
    rows = np.arange(24 * 5, dtype=np.float32).reshape(24, 5)
    assert np.array_equal(llama_order(rotary_order(rows, 3), 3), rows)
    assert not np.array_equal(llama_order(rows, 3), rows)


@pytest.mark.parametrize("config", [{"use_dora": True}, {"peft_type": "IA3"}, {"rank_pattern": {"q_proj": 4}}])
def test_an_adapter_that_is_not_plain_lora_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    with pytest.raises(GeneratorRefused, match="not plain LoRA"):
        write_merged_gguf(BASE, other_adapter(tmp_path / "adapter", **config), tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = other_adapter(tmp_path / "adapter")
    arrays = load_file(folder / "adapter_model.safetensors")
    save_file(
        {name.replace("layers.29", "layers.99"): array for name, array in arrays.items()},
        folder / "adapter_model.safetensors",
    )
    with pytest.raises(GeneratorRefused, match="made for another model"):
        write_merged_gguf(BASE, folder, tmp_path / "model.gguf")
