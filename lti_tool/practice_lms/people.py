"""The made-up course and the made-up people in it. Nobody signs in: a person is chosen by the address of the page."""

from __future__ import annotations

from dataclasses import dataclass

LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The course; ``id`` is LTI's context id."""

    id: str
    label: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody in the course: ``id`` is LTI's ``sub`` (a number as text, as in Moodle), ``slug`` is for addresses."""

    id: str
    slug: str
    given_name: str
    family_name: str
    name: str
    role: str = LEARNER
    locale: str = "en"

    @property
    def email(self) -> str:
        """An address in the reserved domain ``example``: it can never reach anybody."""
        return f"{self.slug}@practice.example"

    @property
    def is_instructor(self) -> bool:
        """Whether the person teaches the course."""
        return self.role == INSTRUCTOR

    @property
    def initials(self) -> str:
        """One or two letters for the round badge beside the name."""
        return self.family_name[0] if self.locale == "ko" else self.given_name[0] + self.family_name[0]


COURSE = Course(id="2", label="ML-101", title="Introduction to Machine Learning")

PEOPLE: tuple[Person, ...] = (
    Person(id="3", slug="ada", given_name="Ada", family_name="Okafor", name="Dr. Ada Okafor", role=INSTRUCTOR),
    Person(id="11", slug="mateo", given_name="Mateo", family_name="Hernández", name="Mateo Hernández"),
    Person(id="12", slug="seoyeon", given_name="서연", family_name="김", name="김서연", locale="ko"),
    Person(id="13", slug="priya", given_name="Priya", family_name="Raghunathan", name="Priya Raghunathan"),
    Person(id="14", slug="lukas", given_name="Lukas", family_name="Weber", name="Lukas Weber"),
    Person(
        id="15",
        slug="maria",
        given_name="María Antonieta Guadalupe",
        family_name="Fernández-Villaseñor de la Concepción y Montenegro",
        name="María Antonieta Guadalupe Fernández-Villaseñor de la Concepción y Montenegro",
    ),
)

STUDENTS: tuple[Person, ...] = tuple(person for person in PEOPLE if not person.is_instructor)

_BY_SLUG = {person.slug: person for person in PEOPLE}
_BY_ID = {person.id: person for person in PEOPLE}


def find_person(slug: str) -> Person | None:
    """The person with this name in addresses; ``student-1`` to ``student-999`` are a crowd for load tests."""
    return _BY_SLUG.get(slug) or _of_the_crowd(slug.removeprefix("student-"))


def find_person_by_id(user_id: str) -> Person | None:
    """The person with this LTI user id; those of the crowd have 1001 to 1999."""
    if user_id in _BY_ID:
        return _BY_ID[user_id]
    return _of_the_crowd(str(int(user_id) - _CROWD)) if user_id.isascii() and user_id.isdecimal() else None


_CROWD = 1000


def _of_the_crowd(number: str) -> Person | None:
    if not (number.isascii() and number.isdecimal()) or not 1 <= int(number) <= 999 or number.startswith("0"):
        return None
    return Person(
        id=str(_CROWD + int(number)),
        slug=f"student-{number}",
        given_name="Student",
        family_name=number,
        name=f"Student {number}",
    )
