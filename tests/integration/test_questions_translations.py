"""Every sentence of a page is there in Korean, and no sentence is taken for markup."""

from __future__ import annotations

import ast
import re
from collections import Counter
from importlib import import_module
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup

import lti_tool
from lti_tool.errors import NotAllowed, Refused, Unusable
from lti_tool.submissions.store import MAX_ANSWER_CHARACTERS, save_draft
from tests.course_actors import Course

PACKAGE = Path(lti_tool.__file__).parent
CATALOGUE = PACKAGE / "translations" / "ko" / "LC_MESSAGES" / "messages.po"


@pytest.fixture(scope="module")
def korean() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="ko")


def sentences() -> set[str]:
    """The sentences of templates and views as they stand in the sources."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    found = extract_from_dir(PACKAGE, method_map=methods)
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found if text}


def refusals() -> list[type[Refused]]:
    """All classes of refusals, whoever meets them."""
    for file in PACKAGE.rglob("*.py"):
        if "instructor_text = " not in file.read_text(encoding="utf-8"):
            continue
        import_module(".".join([PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts]))
    classes, waiting = [], [Refused]
    while waiting:
        each = waiting.pop()
        classes.append(each)
        waiting.extend(each.__subclasses__())
    return [each for each in classes if each.__module__.startswith(PACKAGE.name)]


def sentences_given_where_it_is_refused() -> set[str]:
    """What is not a class's own sentence, but stands where the refusal is raised: ``student_text="…"``."""
    given = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.keyword(arg="student_text" | "instructor_text", value=ast.Constant(value=str(text))):
                    given.add(text)
                case ast.Assign(
                    targets=[ast.Attribute(attr="student_text" | "instructor_text")],
                    value=ast.Constant(value=str(text)),
                ):
                    given.add(text)
                case _:
                    pass
    return given


def sentences_about_a_long_answer() -> set[str]:
    """They name the limit, so they are there only once one has run into it (which is before the database is asked)."""
    with pytest.raises(Unusable) as refusal:
        save_draft(Mock(spec_set=()), attempt_id=1, question_id=1, answer="a" * (MAX_ANSWER_CHARACTERS + 1))
    return {refusal.value.student_text, refusal.value.instructor_text}


def sentences_of_refusals() -> set[str]:
    of_classes = {text for each in refusals() for text in (each.student_text, each.instructor_text)}
    return of_classes | sentences_given_where_it_is_refused() | sentences_about_a_long_answer()


def places(sentence: str) -> Counter[str]:
    """The places that are filled: ``%(name)s`` by the server, ``{name}`` by scripts; and the literal ``%%``."""
    return Counter(re.findall(r"%\(\w+\)\w|\{\w+\}|%%", sentence))


def test_every_sentence_of_a_page_is_translated(korean: Catalog) -> None:
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in korean
        if message.string and all([message.string] if isinstance(message.string, str) else message.string)
    }
    assert sentences() - translated == set()


def test_what_a_student_is_told_of_a_refusal_is_translated(korean: Catalog) -> None:
    assert len(refusals()) > 40
    assert [each.__name__ for each in refusals() if each.student_text not in korean] == []


def test_what_an_instructor_or_administrator_is_told_of_a_refusal_is_translated(korean: Catalog) -> None:
    assert [each.__name__ for each in refusals() if each.instructor_text not in korean] == []


def test_what_is_told_where_it_is_refused_is_translated(korean: Catalog) -> None:
    given = sentences_given_where_it_is_refused()
    assert given
    assert [text for text in given | sentences_about_a_long_answer() if text not in korean] == []


def test_no_sentence_stays_that_no_source_has(korean: Catalog) -> None:
    """A sentence left over is one that was changed in the sources and lost its Korean."""
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in korean if message.id}
    assert known - sentences() - sentences_of_refusals() == set()
    assert not korean.obsolete


def test_places_to_fill_are_the_same_in_both_languages(korean: Catalog) -> None:
    assert [str(error) for message in korean if message.id for error in message.check()] == []
    differing = []
    for message in korean:
        english = message.id if isinstance(message.id, str) else message.id[-1]  # the plural names its number
        translated = [message.string] if isinstance(message.string, str) else message.string or ()
        differing += [english for each in translated if english and places(each) != places(english)]
    assert differing == []


def test_braces_that_scripts_fill_stay(korean: Catalog) -> None:
    message = korean.get("Saved {time}")
    assert message is not None
    assert "{time}" in str(message.string)


def test_the_compiled_catalogue_is_that_of_the_sources(korean: Catalog) -> None:
    compiled = BytesIO()
    write_mo(compiled, korean)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run `pybabel compile`"


@pytest.mark.parametrize(
    ("locale", "region"),
    [("en-GB", "en-GB"), ("en_au", "en-au"), ("ko-KR", "ko-KR"), ("en", None), ("fr-FR", None), ("en_kids", None)],
)
def test_dates_are_written_as_the_lms_writes_them(course: Course, locale: str, region: str | None) -> None:
    course.has_quiz()
    html = course.learner(locale=locale).get().soup.html
    assert html is not None
    assert html.get("data-region") == region


def test_a_korean_launch_gets_korean_pages(course: Course) -> None:
    course.has_quiz(language="ko")
    page = course.learner(locale="ko").get()
    assert page.soup.html is not None
    assert page.soup.html["lang"] == "ko"
    assert "길게 쓴다고 점수가 오르지 않습니다." in page.text
    assert "시작" in page.form("#begin-form button").get_text()
    assert "교수자를 위한 페이지입니다." in course.learner(locale="ko").get("results").text


def test_a_refusals_sentence_is_text_and_not_markup(course: Course) -> None:
    def refuse() -> str:
        raise NotAllowed(student_text="<b>50% off</b>", instructor_text="100% <script>x</script> %(name)s")

    course.app.add_url_rule("/refuse", view_func=refuse)
    response = course.app.test_client().get("/refuse")
    soup = BeautifulSoup(response.get_data(as_text=True), "html.parser")
    assert response.status_code == 403
    assert "<b>50% off</b>" in soup.get_text()
    assert "100% <script>x</script> %(name)s" in soup.get_text()
    assert not soup.find("b")


def test_commands_in_a_refusals_sentence_are_set_as_code(course: Course) -> None:
    def refuse() -> str:
        raise NotAllowed(instructor_text="Type `mlquiz <b>` and `mlquiz up`.")

    course.app.add_url_rule("/refuse-with-command", view_func=refuse)
    page = BeautifulSoup(course.app.test_client().get("/refuse-with-command").get_data(as_text=True), "html.parser")
    sentence = page.select_one(".quote")
    assert sentence is not None
    assert [code.get_text() for code in sentence.select("code")] == ["mlquiz <b>", "mlquiz up"]
    assert "`" not in sentence.get_text()
