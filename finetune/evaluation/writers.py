"""Which language models word the feedback in an evaluation: those of the settings, or others by name."""

from __future__ import annotations

from functools import partial

from config.settings import Settings
from finetune.evaluation.explainer_evaluation import Load
from grading.explanation.explainer import _BUNDLED_LANGUAGES, load_generator
from grading.explanation.generators import Generator, LocalGenerator, ServerGenerator
from grading.models import adapter_folder, language_model_folder


def chosen_writers(
    settings: Settings, model: str | None, adapter: str | None
) -> tuple[dict[str, Load], list[tuple[str, str]]]:
    """The base model and, where there is one, the adapter on it; and the lines of the report that name them.

    Without ``model`` and ``adapter`` the settings decide: a server stands alone, the template needs no model, and the
    adapter is computed by what computes it in service. Raises the errors of :mod:`grading.models` for names that are
    not there; the models are loaded later.
    """
    if model is None and adapter is None and settings.explainer == "template":
        return {}, [("Explainer", "template")]
    if model is None and adapter is None and settings.explainer == "server":
        key = settings.explainer_api_key.get_secret_value()
        server = partial(ServerGenerator, settings.explainer_url, settings.explainer_model, key)
        return {"server": server}, [("Explainer", f"{settings.explainer_model} on a server")]
    name = model or settings.explainer_model
    adapted = settings.explainer_adapter if adapter is None else adapter
    languages = _BUNDLED_LANGUAGES if name.startswith("bundled:") else None
    load = partial(LocalGenerator, language_model_folder(name, settings.models_path), languages=languages, name=name)
    writers: dict[str, Load] = {"base model": load}
    if (folder := adapter_folder(adapted)) is not None:
        is_served = model is None and adapter is None
        writers["adapter"] = partial(_served, settings) if is_served else partial(load, folder)
    return writers, [("Base model", name), ("Adapter", adapted or "none")]


def _served(settings: Settings) -> Generator:
    generator = load_generator(settings)
    assert generator is not None  # the settings ask for a local one
    return generator
