"""Template first, the model's text where it passes, the template with reasons where it does not."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from safetensors.numpy import save_file

from config.settings import load_settings
from grading.domain import Flag
from grading.errors import ModelError
from grading.explanation import explainer, shared_model
from grading.explanation.errors import GeneratorRefused, GeneratorUnavailable
from grading.explanation.explainer import Explainer, Item, load_explainer
from grading.explanation.feedback import Feedback
from grading.explanation.feedback_making import feedback_from
from grading.explanation.generators import AdaptedGenerator, LocalGenerator
from grading.explanation.prompt import PROMPT_VERSION
from grading.explanation.template import template_text
from lti_tool.models.folders import digest_of
from tests.conftest_lm import build_tiny_lm, build_tiny_tokenizer
from tests.model_runs import make_explainer_run
from tests.unit.explanation_builders import BIAS_ANSWER, make_assessment, make_korean_question, make_question

GOOD = (
    "Good start. You are right about what bias is. Look again at what variance is. Still missing: the effect of more"
    " complexity."
)


class ScriptedGenerator:
    """Says what a test tells it to; the shape of a generator, nothing of a model."""

    needs_names = False

    def __init__(
        self, say: Callable[[Feedback], str], languages: frozenset[str] = frozenset({"en"}), name: str = "scripted"
    ) -> None:
        self.say = say
        self.name = name
        self.asked: list[Feedback] = []
        self._languages = languages

    @property
    def languages(self) -> frozenset[str]:
        return self._languages

    @property
    def versions(self) -> Mapping[str, str]:
        return {"explainer": self.name}

    def rewrite(self, feedbacks: Sequence[Feedback]) -> list[str]:
        self.asked += feedbacks
        return [self.say(feedback) for feedback in feedbacks]


def bias_item(*verdicts: str, flags: frozenset[Flag] = frozenset()) -> Item:
    judged = verdicts or ("covered", "contradicted", "missing")
    fraction = 0.0 if flags else 0.4
    return make_question(), BIAS_ANSWER, make_assessment(judged, fraction=fraction, flags=flags)


def test_without_a_model_the_template_serves() -> None:
    [explanation] = Explainer().explain([bias_item()])
    assert explanation.source == "TEMPLATE"
    assert explanation.text == template_text(feedback_from(*bias_item()))
    assert explanation.refused == ()
    assert set(explanation.versions) == {"template", "checks"}


def test_a_text_that_passes_is_served_as_the_models() -> None:
    [explanation] = Explainer(ScriptedGenerator(lambda _: GOOD)).explain([bias_item()])
    assert (explanation.text, explanation.source, explanation.refused) == (GOOD, "LLM", ())
    assert explanation.versions["explainer"] == "scripted"


def test_a_text_that_fails_is_replaced_and_the_reasons_are_kept() -> None:
    [explanation] = Explainer(ScriptedGenerator(lambda _: "Perfect, 10/10.")).explain([bias_item()])
    assert explanation.source == "TEMPLATE"
    assert explanation.text == template_text(feedback_from(*bias_item()))
    assert any(reason.startswith("score") for reason in explanation.refused)
    assert any(reason.startswith("not_named") for reason in explanation.refused)
    assert explanation.versions["explainer"] == "scripted"


@pytest.mark.parametrize("error", [GeneratorUnavailable("busy"), GeneratorRefused("no key")])
def test_a_model_that_fails_stops_nobody(error: Exception) -> None:
    def fail(_: Feedback) -> str:
        raise error

    explanations = Explainer(ScriptedGenerator(fail)).explain([bias_item(), bias_item()])
    assert [each.source for each in explanations] == ["TEMPLATE", "TEMPLATE"]
    assert all(type(error).__name__ in each.refused[0] for each in explanations)


def unavailable(_: Feedback) -> str:
    raise GeneratorUnavailable("busy")


@pytest.mark.parametrize("say", [unavailable, lambda _: "Perfect, 10/10."])
def test_what_stands_in_for_a_model_is_the_templates_text_from_before_contact_and_all(
    say: Callable[[Feedback], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def template(feedback: Feedback, *, contact: str = "") -> str:
        written.append(contact)
        return f"{feedback.band} {contact}"

    monkeypatch.setattr(explainer, "template_text", template)
    [explanation] = Explainer(ScriptedGenerator(say), contact="room 12").explain([bias_item()])
    assert explanation.refused
    assert explanation.text.endswith("room 12")
    assert written == ["room 12"], "worded once"


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    def fail(_: Feedback) -> str:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        Explainer(ScriptedGenerator(fail)).explain([bias_item()])


def test_gated_answers_never_reach_the_model() -> None:
    generator = ScriptedGenerator(lambda _: GOOD)
    [explanation] = Explainer(generator).explain([bias_item("missing", flags=frozenset({Flag.DONT_KNOW}))])
    assert generator.asked == []
    assert explanation.source == "TEMPLATE"


@pytest.mark.parametrize("flags", [frozenset({Flag.NEEDS_PERSON}), frozenset[Flag]()])
def test_who_needs_a_person_never_reaches_the_model(flags: frozenset[Flag]) -> None:
    generator = ScriptedGenerator(lambda _: GOOD)
    item = (make_question(), f"{BIAS_ANSWER} I want to die.", make_assessment(["covered"] * 3, flags=flags))
    [explanation] = Explainer(generator, contact="Call the counselling service.").explain([item])
    assert generator.asked == []
    assert explanation.source == "TEMPLATE"
    assert explanation.text.endswith("Call the counselling service.")


def test_what_has_no_name_stays_with_the_template_unless_a_model_can_word_it() -> None:
    question = make_question(key_points=())
    item = (question, BIAS_ANSWER, make_assessment(["covered", "missing", "missing"], fraction=0.4))
    able = ScriptedGenerator(lambda _: "“High bias means” is good to have. There is more to say than this.")
    named_only = ScriptedGenerator(lambda _: GOOD, name="named only")
    named_only.needs_names = True
    [explanation] = Explainer(named_only).explain([item])
    assert (explanation.source, explanation.refused, named_only.asked) == ("TEMPLATE", (), [])
    [explanation] = Explainer(named_only, able).explain([item])
    assert explanation.versions["explainer"] == "scripted"
    assert named_only.asked == []
    Explainer(named_only).explain([bias_item()])
    assert len(named_only.asked) == 1


@pytest.mark.parametrize(
    ("described", "needs"), [({}, True), ({"needs_names": True}, True), ({"needs_names": False}, False)]
)
def test_an_adapter_says_whether_it_learned_to_word_what_has_no_name(
    described: dict[str, bool],
    needs: bool,
    tmp_path: Path,
) -> None:
    (tmp_path / "explainer.json").write_text(json.dumps({"prompt": PROMPT_VERSION, "languages": ["en"], **described}))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    assert AdaptedGenerator("model", tmp_path, None).needs_names is needs


def test_a_language_that_the_model_cannot_write_stays_with_the_template() -> None:
    generator = ScriptedGenerator(lambda _: GOOD)
    korean = (make_korean_question(), "편향은 오차예요", make_assessment(["covered", "missing", "missing"]))
    explanations = Explainer(generator).explain([korean, bias_item()])
    assert [feedback.language for feedback in generator.asked] == ["en"]
    assert [each.source for each in explanations] == ["TEMPLATE", "LLM"]


def test_a_model_that_writes_korean_is_asked_in_korean() -> None:
    text = "편향의 뜻을 잘 설명했어요. 아직 빠진 것: 분산의 뜻, 복잡도가 커질 때의 변화."
    generator = ScriptedGenerator(lambda _: text, languages=frozenset({"en", "ko"}))
    korean = (make_korean_question(), "편향은 오차예요", make_assessment(["covered", "missing", "missing"]))
    [explanation] = Explainer(generator).explain([korean])
    assert (explanation.text, explanation.source) == (text, "LLM")


def korean_item() -> Item:
    return make_korean_question(), "편향은 오차예요", make_assessment(["covered", "missing", "missing"])


def test_each_language_goes_to_the_first_that_writes_it_and_the_versions_name_who_was_asked() -> None:
    korean = ScriptedGenerator(lambda _: "nonsense", frozenset({"ko"}), "course")
    both = ScriptedGenerator(lambda _: GOOD, frozenset({"en", "ko"}), "promoted")
    last = ScriptedGenerator(lambda _: GOOD, frozenset({"en"}), "settings")
    explanations = Explainer(korean, both, last).explain([bias_item(), korean_item(), bias_item(), korean_item()])
    assert [each.versions["explainer"] for each in explanations] == ["promoted", "course", "promoted", "course"]
    assert [len(each.asked) for each in (korean, both, last)] == [2, 2, 0]
    assert [each.source for each in explanations] == ["LLM", "TEMPLATE", "LLM", "TEMPLATE"]


def test_one_that_leads_is_asked_before_those_that_were_there() -> None:
    general = Explainer(ScriptedGenerator(lambda _: GOOD, frozenset({"en", "ko"}), "general"))
    led = general.led_by(ScriptedGenerator(lambda _: GOOD, frozenset({"ko"}), "course"))
    assert [each.versions["explainer"] for each in led.explain([bias_item(), korean_item()])] == ["general", "course"]
    assert [each.versions["explainer"] for each in general.explain([korean_item()])] == ["general"]


def test_explanations_come_in_the_order_of_the_items() -> None:
    generator = ScriptedGenerator(lambda feedback: GOOD if feedback.contradicted else "nonsense")
    items = [bias_item("missing", "missing", "missing"), bias_item(), bias_item("covered", "covered", "covered")]
    assert [each.source for each in Explainer(generator).explain(items)] == ["TEMPLATE", "LLM", "TEMPLATE"]


def test_nothing_to_explain_is_nothing_explained() -> None:
    generator = ScriptedGenerator(lambda _: GOOD)
    assert Explainer(generator).explain([]) == []


def test_the_template_setting_loads_no_model(tmp_path: Path) -> None:
    explainer = load_explainer(load_settings(explainer="template", data_dir=tmp_path))
    assert explainer.explain([bias_item()])[0].source == "TEMPLATE"
    assert not (tmp_path / "models").exists()


def test_the_server_setting_asks_the_server(httpserver: HTTPServer, tmp_path: Path) -> None:
    reply = {"choices": [{"message": {"content": GOOD}}]}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(reply)
    settings = load_settings(
        explainer="server", explainer_url=httpserver.url_for("/v1"), explainer_model="tutor", data_dir=tmp_path
    )
    [explanation] = load_explainer(settings).explain([bias_item()])
    assert (explanation.text, explanation.source) == (GOOD, "LLM")
    assert explanation.versions["explainer"].startswith("tutor@")


def test_the_local_setting_loads_a_folder_without_adapter(tiny_lm_folder: Path, tmp_path: Path) -> None:
    settings = load_settings(explainer_model=str(tiny_lm_folder), explainer_adapter="", data_dir=tmp_path)
    [explanation] = load_explainer(settings).explain([bias_item()])
    # Random weights write nothing that passes.
    assert explanation.source == "TEMPLATE"
    assert explanation.refused


def trained(folder: Path, language_model: Path, *languages: str, seed: int = 5) -> Path:
    """A version's folder with an adapter for these languages."""
    return make_explainer_run(folder, language_model, languages=languages, seed=seed)


def asked_of(explainer: Explainer) -> list[str | None]:
    """Which version was asked for an English and for a Korean answer; none: the settings' model, or nobody."""
    return [each.versions.get("version") for each in explainer.explain([bias_item(), korean_item()])]


def test_what_a_trained_one_does_not_write_stays_with_the_model_of_the_settings(
    tiny_lm_folder: Path, tmp_path: Path
) -> None:
    settings = load_settings(explainer_model=str(tiny_lm_folder), explainer_adapter="", data_dir=tmp_path)
    run = trained(tmp_path / "run", tiny_lm_folder, "ko")
    explainer = load_explainer(settings, run)
    assert asked_of(explainer) == [None, digest_of(run)]
    assert [each.versions["explainer"] for each in explainer.explain([bias_item()])] == [str(tiny_lm_folder)]


def test_the_model_of_the_settings_is_not_loaded_where_it_would_write_nothing(
    tiny_lm_folder: Path, tmp_path: Path
) -> None:
    settings = load_settings(explainer_model=str(tiny_lm_folder), explainer_adapter="", data_dir=tmp_path)
    assert len(load_explainer(settings, trained(tmp_path / "run", tiny_lm_folder, "en", "ko")).generators) == 1


def test_a_model_of_the_settings_that_cannot_be_loaded_leaves_its_languages_to_the_template(
    tiny_lm_folder: Path, tmp_path: Path
) -> None:
    settings = load_settings(explainer_model=str(tmp_path / "gone"), explainer_adapter="", data_dir=tmp_path)
    run = trained(tmp_path / "run", tiny_lm_folder, "ko")
    explanations = load_explainer(settings, run).explain([bias_item(), korean_item()])
    assert [each.versions.get("version") for each in explanations] == [None, digest_of(run)]
    assert "explainer" not in explanations[0].versions


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    settings = load_settings(explainer_model=str(tmp_path / "nowhere"), explainer_adapter="", data_dir=tmp_path)
    with pytest.raises(ModelError, match="EXPLAINER_MODEL"):
        load_explainer(settings)


def test_the_local_generator_gives_the_same_text_alone_and_in_a_batch(tiny_lm_folder: Path) -> None:
    generator = LocalGenerator(tiny_lm_folder)
    feedbacks = [feedback_from(*bias_item(*verdicts)) for verdicts in (("covered", "missing"), ("missing",), ())]
    together = generator.rewrite(feedbacks)
    assert len(together) == 3
    assert together == generator.rewrite(feedbacks)
    assert all("\n" not in text for text in together)


def test_more_feedback_than_a_batch_comes_back_in_order(tiny_lm_folder: Path) -> None:
    generator = LocalGenerator(tiny_lm_folder)
    short, long = feedback_from(*bias_item("missing")), feedback_from(*bias_item())
    texts = generator.rewrite([short, long] * 7)
    assert len(texts) == 14
    assert set(texts[0::2]) == {texts[0]}
    assert set(texts[1::2]) == {texts[1]}


# One model in memory --------------------------------------------------------------------------------------------------


def texts_of(generator: LocalGenerator) -> list[str]:
    return generator.rewrite([feedback_from(*bias_item(*verdicts)) for verdicts in (("covered", "missing"), ())])


@pytest.fixture
def talkative(tmp_path: Path) -> Path:
    """A tiny language model whose texts an adapter changes."""
    return build_tiny_lm(tmp_path / "talkative", spread=0.3)


@pytest.fixture
def adapters(talkative: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two adapters of one base model, at different matrices."""
    first = trained(tmp_path / "first", talkative, "en")
    second = make_explainer_run(tmp_path / "second", talkative, seed=6, modules=("q_proj", "v_proj", "down_proj"))
    return first, second


def test_adapters_of_one_model_share_it_and_write_what_each_writes_alone(
    talkative: Path, adapters: tuple[Path, Path]
) -> None:
    alone = []
    for folder in (None, *adapters):
        alone.append(texts_of(LocalGenerator(talkative, folder)))
        gc.collect()
        assert not shared_model._models
    assert len({tuple(texts) for texts in alone}) == 3
    plain, first, second = (LocalGenerator(talkative, folder) for folder in (None, *adapters))
    assert plain._model is first._model is second._model
    for _ in range(2):
        assert [texts_of(each) for each in (second, plain, first)] == [alone[2], alone[0], alone[1]]


def test_an_adapter_goes_with_its_generator_and_the_model_with_the_last(
    talkative: Path, adapters: tuple[Path, Path]
) -> None:
    first, second = (LocalGenerator(talkative, folder) for folder in adapters)
    expected = texts_of(second)
    model = ref(first._model)
    del first
    gc.collect()
    assert texts_of(second) == expected
    del second
    gc.collect()
    assert model() is None


def test_an_adapter_that_does_not_fit_leaves_the_others_as_they_were(
    talkative: Path, adapters: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(adapters[1], broken)
    save_file(
        {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((3, 3), np.float32)},
        broken / "adapter_model.safetensors",
    )
    plain = LocalGenerator(talkative)
    expected = texts_of(plain)
    with pytest.raises(GeneratorRefused, match="broken"):
        LocalGenerator(talkative, broken)
    assert texts_of(plain) == expected
    first = LocalGenerator(talkative, adapters[0])
    expected = texts_of(first)
    with pytest.raises(GeneratorRefused, match="broken"):
        LocalGenerator(talkative, broken)
    assert texts_of(first) == expected


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorRefused, match="cannot load"):
        LocalGenerator(tmp_path)


def test_a_model_without_chat_template_is_refused(tiny_lm_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "no-template"
    shutil.copytree(tiny_lm_folder, folder, ignore=shutil.ignore_patterns("chat_template*", "tokenizer*"))
    build_tiny_tokenizer(None).save_pretrained(folder)
    with pytest.raises(GeneratorRefused, match="no chat template"):
        LocalGenerator(folder)


def test_versions_name_the_model(tiny_lm_folder: Path) -> None:
    versions = LocalGenerator(tiny_lm_folder, name="tiny").versions
    assert versions["explainer"] == "tiny"
    assert "adapter" not in versions
