"""The datasets of this machine: folders below ``DATA_DIR/datasets``, known by their digest and never by a path."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from config.settings import Settings
from lti_tool.training.errors import DatasetMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDataset:
    """A dataset as its manifest describes it; ``sources``: the digests of those that it was made from."""

    digest: str
    folder: Path
    producer: str
    created_at: datetime
    counts: dict[str, int]
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name


def datasets_folder(settings: Settings) -> Path:
    """Where exports go, and where ``mlquiz dataset import --output`` should put what the pages are to know of."""
    return settings.data_path / "datasets"


def list_datasets(settings: Settings) -> list[KeptDataset]:
    """The datasets that there are, the newest first; what cannot be read as one is left out. Files are not opened."""
    from finetune.dataset.reading import read_manifest
    from finetune.errors import DatasetBroken

    found: list[KeptDataset] = []
    try:
        folders = sorted(datasets_folder(settings).iterdir())
    except OSError:
        return []
    for folder in folders:
        if folder.name.startswith(".") or folder.is_symlink() or not folder.is_dir():
            continue
        try:
            manifest = read_manifest(folder)
        except DatasetBroken:
            continue
        found.append(
            KeptDataset(
                digest=manifest.digest,
                folder=folder,
                producer=manifest.producer,
                created_at=manifest.created_at,
                counts=dict(manifest.counts),
                sources=manifest.sources,
            )
        )
    return sorted(found, key=lambda each: each.created_at, reverse=True)


def get_dataset(settings: Settings, digest: str) -> KeptDataset:
    """The dataset with this digest. Raises :class:`DatasetMissing`."""
    for dataset in list_datasets(settings):
        if dataset.digest == digest:
            return dataset
    raise DatasetMissing(
        f"there is no dataset {digest} in {datasets_folder(settings)}: it was taken away, or it is on another machine"
    )
