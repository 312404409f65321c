"""Every sentence of a page is there in Korean, and no sentence is taken for markup."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from bs4 import BeautifulSoup

import lti_tool
from lti_tool.errors import NotAllowed, Refused
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
    """All classes of refusals that a student may meet."""
    for module in ("launch.errors", "questions.errors", "submissions.store"):
        import_module(f"lti_tool.{module}")
    classes, waiting = [], [Refused]
    while waiting:
        each = waiting.pop()
        classes.append(each)
        waiting.extend(each.__subclasses__())
    return classes


def test_every_sentence_of_a_page_is_translated(korean: Catalog) -> None:
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in korean
        if message.string and all([message.string] if isinstance(message.string, str) else message.string)
    }
    assert sentences() - translated == set()


def test_what_a_student_is_told_of_a_refusal_is_translated(korean: Catalog) -> None:
    assert len(refusals()) > 10
    assert [each.__name__ for each in refusals() if each.student_text not in korean] == []


def test_places_for_numbers_are_the_same_in_both_languages(korean: Catalog) -> None:
    faults = [str(error) for message in korean if message.id for error in message.check()]
    assert faults == []


def test_braces_that_scripts_fill_stay(korean: Catalog) -> None:
    message = korean.get("Saved {time}")
    assert message is not None
    assert "{time}" in str(message.string)


def test_the_compiled_catalogue_is_that_of_the_sources(korean: Catalog) -> None:
    compiled = BytesIO()
    write_mo(compiled, korean)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run `pybabel compile`"


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
