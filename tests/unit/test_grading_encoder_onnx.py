"""The ONNX export: it reads as the float encoder does, without torch, and is made once or not at all."""

from __future__ import annotations

import json
import logging
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grading import encoder_loading, onnx_export
from grading.encoder import Encoder
from grading.encoder_loading import exported_folder, load_encoder
from grading.errors import ModelBroken, ModelMissing, ModelStorageError
from grading.onnx_encoder import CONFIG_NAME, MODEL_NAME, OnnxEncoder, read_export_config
from grading.onnx_export import export_onnx
from grading.unpacking import read_manifest
from tests.conftest_models import ARCHITECTURES, build_tiny_adapter, build_tiny_transformer

pytestmark = pytest.mark.slow

TEXTS = ["the learning rate is a step", "학습 가나 다라", "k-means: a, b (c)!", "", "  two  spaces  "]
LONG = " ".join(f"step {number} of the descent" for number in range(60))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_transformer(tmp_path_factory.mktemp("models") / "tiny-e5-small", "bert")


@pytest.fixture(scope="module")
def export(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(source, tmp_path_factory.mktemp("exports") / "tiny")


def cosines(float_encoder: Encoder, encoder: Encoder, texts: list[str]) -> np.ndarray:
    pairs = zip(float_encoder.read(texts), encoder.read(texts), strict=True)
    return np.array([ours.vector @ its.vector for ours, its in pairs])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_export_reads_as_the_float_encoder_does(architecture: str, tmp_path: Path) -> None:
    folder = build_tiny_transformer(tmp_path / architecture, architecture)
    seen: list[tuple[float, str]] = []
    encoder = OnnxEncoder(
        export_onnx(folder, tmp_path / "export", progress=lambda share, text: seen.append((share, text)))
    )
    float_encoder = Encoder(folder)
    for ours, its in zip(float_encoder.read([*TEXTS, LONG]), encoder.read([*TEXTS, LONG]), strict=True):
        assert its.ids.tolist() == ours.ids.tolist()
        assert its.spans.tolist() == ours.spans.tolist()
        assert its.marks.tolist() == ours.marks.tolist()
        assert its.states.shape == ours.states.shape
        assert float(its.vector @ ours.vector) > 0.98
    assert np.allclose(encoder.encode(TEXTS), [states.vector for states in encoder.read(TEXTS)])
    assert [share for share, _ in seen] == sorted(share for share, _ in seen)
    assert seen[-1] == (1.0, "ready")


def test_a_batch_is_padded_without_a_trace_in_the_states(source: Path, export: Path) -> None:
    batched, alone = OnnxEncoder(export, batch_size=4), OnnxEncoder(export)
    assert (cosines(alone, batched, [*TEXTS, LONG]) > 0.98).all()
    together, first = alone.read([*TEXTS, LONG])[0], alone.read(TEXTS[:1])[0]
    assert np.array_equal(together.states, first.states)


def test_an_export_says_what_it_is(source: Path, export: Path) -> None:
    config = read_export_config(export)
    assert (config.name, config.prefix, config.is_e5, config.pooling) == ("tiny-e5-small", "query: ", True, "mean")
    assert (config.max_tokens, config.pad_id, config.dimension, config.layers) == (128, 0, 32, None)
    assert config.source_version == Encoder(source).version
    assert config.parity_mean > 0.98
    encoder = OnnxEncoder(export)
    assert encoder.version == config.version != config.source_version
    assert (encoder.name, encoder.dimension, encoder.is_e5) == ("tiny-e5-small", 32, True)
    assert -0.5 <= encoder.floor <= 0.95
    manifest = read_manifest(export)
    assert manifest is not None
    assert set(manifest["files"]) == {MODEL_NAME, CONFIG_NAME, "tokenizer.json"}


def test_the_word_embeddings_are_rounded_too(export: Path) -> None:
    import onnx

    graph = onnx.load(str(export / MODEL_NAME)).graph
    matrices = [tensor for tensor in graph.initializer if len(tensor.dims) == 2]
    assert matrices
    assert all(tensor.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) for tensor in matrices)


def test_layers_and_adapter_go_into_the_export_and_its_version(source: Path, export: Path, tmp_path: Path) -> None:
    adapter = build_tiny_adapter(tmp_path / "adapter", source, layers=2)
    folder = export_onnx(source, tmp_path / "export", layers=2, adapter=adapter)
    encoder = OnnxEncoder(folder)
    assert (cosines(Encoder(source, layers=2, adapter=adapter), encoder, TEXTS) > 0.98).all()
    assert cosines(Encoder(source), encoder, TEXTS).min() < 0.98
    assert encoder.version != OnnxEncoder(export).version
    assert read_export_config(folder).layers == 2


def test_no_torch_is_imported_to_read(export: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from grading.onnx_encoder import OnnxEncoder;"
        "import grading.encoder_loading;"
        f"encoder = OnnxEncoder(Path({str(export)!r}));"
        "encoder.read(['the rate'], context=['a step']); encoder.encode(['a']); encoder.floor;"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'peft') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_export_that_was_changed_is_made_again(source: Path, tmp_path: Path) -> None:
    target = export_onnx(source, tmp_path / "export")
    made = (target / MODEL_NAME).stat().st_mtime_ns
    export_onnx(source, target)
    assert (target / MODEL_NAME).stat().st_mtime_ns == made
    (target / MODEL_NAME).write_bytes(b"no model")
    with pytest.raises(ModelBroken, match="Delete its folder"):
        OnnxEncoder(target)
    export_onnx(source, target)
    assert OnnxEncoder(target).read(["a"])


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"dimension": None}, "no json"])
def test_a_configuration_of_another_form_is_refused(export: Path, tmp_path: Path, change: object) -> None:
    content = json.loads((export / CONFIG_NAME).read_text())
    if isinstance(change, dict):
        content |= change
        text = json.dumps({name: value for name, value in content.items() if value is not None or name != "dimension"})
    else:
        text = str(change)
    (tmp_path / CONFIG_NAME).write_text(text)
    with pytest.raises(ModelBroken, match="Delete it"):
        OnnxEncoder(tmp_path)


def test_an_encoder_that_does_not_bear_int8_is_not_exported(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "LEAST_PARITY", 1.01)
    with pytest.raises(ModelBroken, match="does not bear int8"):
        export_onnx(source, tmp_path / "export")
    assert [path.name for path in tmp_path.iterdir()] == [".export.lock"]


def test_without_the_packages_the_error_names_them(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match=r"pip install 'mlquiz\[onnx\]'"):
        export_onnx(source, tmp_path / "export")


def test_a_place_that_cannot_be_written_to_is_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelStorageError, match="DATA_DIR"):
        export_onnx(source, tmp_path / "file" / "export")


def test_the_export_is_made_by_a_child_process_and_found_again(source: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    encoder = load_encoder(str(source), tmp_path, progress=lambda share, text: seen.append(share))
    assert isinstance(encoder, OnnxEncoder)
    assert seen == sorted(seen)
    assert len(seen) > 4
    [folder] = [path for path in tmp_path.iterdir() if path.is_dir()]
    made = (folder / MODEL_NAME).stat().st_mtime_ns
    again = load_encoder(str(source), tmp_path, backend="onnx")
    assert again.version == encoder.version
    assert (folder / MODEL_NAME).stat().st_mtime_ns == made


def test_each_cut_of_an_encoder_has_a_folder_of_its_own(source: Path, tmp_path: Path) -> None:
    whole = exported_folder(str(source), tmp_path)
    half = exported_folder(str(source), tmp_path, layers=2)
    assert whole != half
    assert OnnxEncoder(half).version != OnnxEncoder(whole).version


def test_torch_serves_where_torch_is_asked_for(source: Path, tmp_path: Path) -> None:
    encoder = load_encoder(str(source), tmp_path, backend="torch")
    assert type(encoder) is Encoder
    assert not any(tmp_path.iterdir())


def test_torch_serves_and_says_why_when_the_export_fails(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        encoder = load_encoder(str(source), tmp_path / "models")
    assert type(encoder) is Encoder
    assert "torch serves" in caplog.text
    assert "DATA_DIR" in caplog.text
    with pytest.raises(ModelBroken, match="DATA_DIR"):
        load_encoder(str(source), tmp_path / "models", backend="onnx")


def test_torch_serves_without_onnxruntime(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoder_loading, "find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING):
        assert type(load_encoder(str(source), tmp_path)) is Encoder
    assert "mlquiz[onnx]" in caplog.text
    with pytest.raises(ModelMissing, match=r"mlquiz\[onnx\]"):
        load_encoder(str(source), tmp_path, backend="onnx")


def test_more_layers_than_there_are_fail_in_the_child_with_its_sentence(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelBroken, match="9 layers are asked for, the encoder has 3"):
        load_encoder(str(source), tmp_path, layers=9, backend="onnx")


def test_a_missing_adapter_is_refused_before_anything_is_made(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"adapter_config\.json"):
        exported_folder(str(source), tmp_path / "models", adapter=tmp_path)
    assert not (tmp_path / "models").exists()


def test_a_hub_id_that_was_not_downloaded_is_left_to_torch(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="has not been downloaded"):
        exported_folder("someone/no-such-encoder", tmp_path)


def _exported(source: str, models_path: str) -> str:
    return str(exported_folder(source, Path(models_path)))


def test_workers_that_start_together_make_one_export(source: Path, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        folders = pool.starmap(_exported, [(str(source), str(tmp_path))] * 2)
    assert len(set(folders)) == 1
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
