"""From a run to a version's folder: what is taken, what is left, and each thing that is refused."""

from __future__ import annotations

import json
import os
import pickle
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lti_tool.models.errors import RunRefused, VersionBroken, VersionsFolderUnusable
from lti_tool.models.folders import digest_of, intact_folder, keep_run, kind_of_run, manifest_of_run, remove_folder
from tests.model_runs import make_run, resealed, seal, write_weights


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "versions"
    remove_folder(tmp_path / "versions")


def kept(run: Path, versions: Path) -> Path:
    digest, is_new = keep_run(run, versions, manifest_of_run(run))
    assert is_new
    return versions / digest


# What is taken ----------------------------------------------------------------------------------------------------


def test_a_version_lies_in_a_folder_named_by_its_digest(run: Path, versions: Path) -> None:
    folder = kept(run, versions)
    assert folder.name == digest_of(run)
    assert intact_folder(versions, folder.name) == folder


def test_what_the_manifest_lists_is_taken_and_students_answers_are_left(run: Path, versions: Path) -> None:
    (run / "report.html").write_text("the worst answers", encoding="utf-8")
    folder = kept(run, versions)
    assert {path.name for path in folder.iterdir()} == {"card.md", "head.json", "manifest.json"}


def test_folders_inside_of_a_run_come_along(run: Path, versions: Path) -> None:
    (run / "adapter").mkdir()
    write_weights(run / "adapter" / "adapter_model.safetensors")
    folder = kept(resealed(run), versions)
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


def test_a_versions_folder_is_read_only(run: Path, versions: Path) -> None:
    folder = kept(run, versions)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {0o555, 0o444}


def test_the_same_run_twice_is_copied_once(run: Path, versions: Path) -> None:
    folder = kept(run, versions)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert keep_run(run, versions, manifest_of_run(run)) == (folder.name, False)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_runs_that_are_added_at_once_all_find_one_whole_folder(run: Path, versions: Path) -> None:
    manifest = manifest_of_run(run)
    digests: list[str] = []
    threads = [threading.Thread(target=lambda: digests.append(keep_run(run, versions, manifest)[0])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert digests == [digest_of(run)] * 6
    assert [path.name for path in versions.iterdir()] == [digest_of(run)]
    intact_folder(versions, digest_of(run))


def test_a_copy_that_was_damaged_is_replaced(run: Path, versions: Path) -> None:
    folder = kept(run, versions)
    (folder / "card.md").chmod(0o644)
    (folder / "card.md").write_text("changed", encoding="utf-8")
    kept(run, versions)
    assert intact_folder(versions, folder.name) == folder


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (("head.json",), "GRADER"),
        (("adapter_config.json", "adapter_model.safetensors", "explainer.json"), "EXPLAINER"),
    ],
)
def test_the_kind_is_told_by_the_files(files: tuple[str, ...], kind: str) -> None:
    assert kind_of_run({"files": dict.fromkeys(files, "")}, Path("run")) == kind


# What is refused --------------------------------------------------------------------------------------------------


def replace_by_link(run: Path) -> None:
    (run / "card.md").rename(run.parent / "card.md")
    (run / "card.md").symlink_to(run.parent / "card.md")


def link_a_folder(run: Path) -> None:
    (run / "adapter").symlink_to(run.parent)


def call_a_pickle_safetensors(run: Path) -> None:
    (run / "reader.safetensors").write_bytes(pickle.dumps({"weights": [0.0]}))
    resealed(run)


def list_the_readings(run: Path) -> None:
    seal(run, has_readings=True)


def change_the_card(run: Path) -> None:
    (run / "card.md").write_text("better than it is", encoding="utf-8")


def lose_the_head(run: Path) -> None:
    (run / "head.json").unlink()


def lose_the_manifest(run: Path) -> None:
    (run / "manifest.json").unlink()


def garble_the_manifest(run: Path) -> None:
    (run / "manifest.json").write_bytes(b"\xff{")


def put_in_a_pipe(run: Path) -> None:
    os.mkfifo(run / "card.json")


def put_in(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).write_bytes(pickle.dumps(0))

    return change


def with_manifest(**changes: object) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        resealed(run, **changes)

    return change


def listing(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        manifest["files"][name] = "0" * 64
        (run / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put_in("optimizer.pt"), "optimizer.pt"),
        (put_in("pytorch_model.bin"), "pytorch_model.bin"),
        (put_in("head.pkl"), "head.pkl"),
        (put_in("no-suffix"), "no-suffix"),
        (call_a_pickle_safetensors, "reader.safetensors"),
        (replace_by_link, "card.md is a link"),
        (link_a_folder, "adapter is a link"),
        (put_in_a_pipe, "no ordinary file"),
        (with_manifest(schema_version=4), "schema version 4"),
        (with_manifest(schema_version=None), "schema version None"),
        (lose_the_manifest, "not finished"),
        (garble_the_manifest, "cannot be read"),
        (change_the_card, "card.md does not have the digest"),
        (lose_the_head, "head.json is missing"),
        (list_the_readings, "students' answers"),
        (listing("../secret.json"), "no file of the run"),
        (listing("/etc/passwd.json"), "no file of the run"),
        (listing("a\\b.json"), "no file of the run"),
        (listing("manifest.json"), "no file of the run"),
        (listing("gone.json"), "gone.json is missing"),
    ],
)
def test_a_run_that_is_wrong_in_one_way_is_refused_by_name(
    run: Path, versions: Path, change: Callable[[Path], None], named: str
) -> None:
    change(run)
    with pytest.raises(RunRefused, match=named.replace("\\", "\\\\")):
        keep_run(run, versions, manifest_of_run(run))
    assert not versions.exists() or list(versions.iterdir()) == [], "something of it was left"


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunRefused, match="no folder of a run"):
        manifest_of_run(tmp_path / "nowhere")


def test_a_dataset_is_no_model(run: Path) -> None:
    manifest = manifest_of_run(resealed(run, kind="dataset"))
    with pytest.raises(RunRefused, match="neither a grader"):
        kind_of_run(manifest, run)


def test_the_other_kind_than_the_one_asked_for_is_refused(run: Path) -> None:
    with pytest.raises(RunRefused, match="kind grader, not explainer"):
        kind_of_run(manifest_of_run(run), run, "EXPLAINER")


def test_a_manifest_that_changes_while_the_run_is_copied_is_refused(run: Path, versions: Path) -> None:
    manifest = manifest_of_run(run)
    resealed(run, producer="somebody else")
    with pytest.raises(RunRefused, match="changed meanwhile"):
        keep_run(run, versions, manifest)


def test_a_versions_folder_that_cannot_be_written_is_a_sentence(run: Path, tmp_path: Path) -> None:
    (tmp_path / "versions").write_text("a file", encoding="utf-8")
    with pytest.raises(VersionsFolderUnusable, match="MODEL_VERSIONS_DIR"):
        keep_run(run, tmp_path / "versions", manifest_of_run(run))


# On another machine -----------------------------------------------------------------------------------------------


def test_a_folder_that_this_machine_lacks_says_what_to_do(versions: Path) -> None:
    with pytest.raises(VersionBroken, match="MODEL_VERSIONS_DIR name a folder that all machines share, or copy"):
        intact_folder(versions, "0123456789abcdef")


@pytest.mark.parametrize("name", ["card.md", "manifest.json"])
def test_a_version_that_was_changed_is_noticed(run: Path, versions: Path, name: str) -> None:
    folder = kept(run, versions)
    (folder / name).chmod(0o644)
    (folder / name).write_text("{}", encoding="utf-8")
    with pytest.raises(VersionBroken, match=f"{name} is missing or was changed"):
        intact_folder(versions, folder.name)


def test_a_version_that_lost_a_file_is_noticed(run: Path, versions: Path) -> None:
    folder = kept(run, versions)
    folder.chmod(0o755)
    (folder / "head.json").unlink()
    with pytest.raises(VersionBroken, match=r"head\.json is missing"):
        intact_folder(versions, folder.name)
