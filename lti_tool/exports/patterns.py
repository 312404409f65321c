"""What gives a person away by its form: mail addresses, however spelt, phone numbers, numbers and pages of people.

All repetitions are bounded: a text of any length and make takes time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Kind = Literal["name", "mail", "phone", "id"]

#: Separators inside a phone number, the wide ones of East Asian keyboards among them.
_SEPARATOR = r"[\s.()·‐-―－-]"
#: Where a number begins and ends: beside Hangul too, for particles stand directly after it (010-1234-5678입니다).
_BEGINS, _ENDS = r"(?<![0-9A-Za-z_.])", r"(?![0-9A-Za-z_])"
_PHONE = rf"""
    (?:\+|00)[1-9](?:{_SEPARATOR}{{0,2}}\d){{7,14}}                       # with the code of a country
    | \(?0(?:1[016-9]|2|[3-6][1-5]|70|50\d)\)?{_SEPARATOR}{{0,3}}\d{{3,4}}{_SEPARATOR}{{0,3}}\d{{4}}  # Korea
    | 1[5-8]\d\d[-‐-―－]\d{{4}}                                           # Korea, of companies
    | (?:\(\d{{3}}\)\s?|\d{{3}}[.-])\d{{3}}[.-]\d{{4}}                     # North America
    | 0\d{{1,4}}[ /-]\d{{5,9}}                                            # elsewhere, with the code of a town
"""
#: The end of a domain, which is no number: mAP@0.5 is a figure, and so are recall@10 and recall@k.
_LAST_LABEL = r"[^\W\d_][\w-]{1,62}"
#: Ends of the domains that people write without http: code and formulas have none before a slash.
_TOP = r"(?:com|net|org|edu|io|kr|me|dev|app|co|uk|de|fr|jp|cn|ca|au)(?![A-Za-z0-9-])"
_AT = r"(?:\s?[(\[{<]\s?(?:at|@)\s?[)\]}>]\s?|\s?골뱅이\s?)"
_DOT = r"(?:\.|\s?[(\[{<]\s?(?:dot|\.)\s?[)\]}>]\s?|\s(?:dot|점)\s)"
#: What in an address leads to the page of a person.
_OF_A_PERSON = r"(?:~|/@|\w@|/u(?:sers?)?/|/in/|/people/|/profiles?/)"
#: There the path begins with a person, unless it is one of those whose libraries everybody writes about.
_HOST_OF_PEOPLE = r"""(?:(?:github|gitlab|instagram|facebook|twitter|\bx)\.com|blog\.naver\.com|\bt\.me)/
    (?!(?:pytorch|tensorflow|scikit-learn|huggingface|openai|keras-team|google(?:-\w+)?|facebookresearch|microsoft)
        (?![\w-]))"""
_STUDENT_NUMBER = r"(?:(?<![A-Za-z])(?:student|matriculation)[ -]?(?:no|nr|num(?:ber)?|id)\b\.?|학번|학생\s?번호)"
_FORMS = re.compile(
    rf"""
    (?P<mail>(?<![\w.+%-])[\w.+%-]{{1,64}}@(?!(?:k|\d\d?)\.)[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{0,7}}\.{_LAST_LABEL})
    | (?P<spelt>(?<![\w.+%-])[\w.+%-]{{1,64}}(?:
        {_AT}[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{0,3}}{_DOT}{_TOP}
        | \sat\s[\w-]{{1,63}}(?:\sdot\s[\w-]{{1,63}}){{0,3}}\sdot\s{_TOP}))
    | (?P<page>\b(?:https?://|www\.)\S{{0,200}}?(?:{_OF_A_PERSON}|{_HOST_OF_PEOPLE}|
        \b(?:user(?:name|id)?|uid|login|student(?:id)?)=)\S+)
    | (?P<bare>(?<![\w.@/-])(?:[\w-]{{1,63}}\.){{0,4}}(?:
        {_HOST_OF_PEOPLE}[\w.@~-]\S{{0,200}}
        | {_TOP}(?:/[\w.-]{{0,60}}){{0,4}}?/?{_OF_A_PERSON}\S{{1,200}}))
    | (?P<student>(?P<said>{_STUDENT_NUMBER}(?:\s(?:is|was)|[은는이가])?[\s:.\#=]{{0,3}})
        [A-Za-z]{{0,3}}\d{{5,6}}{_ENDS})
    | (?P<numbered>{_BEGINS}[A-Za-z]{{0,3}}\d{{5,6}}
        (?=(?:[은는이가]|\s(?:is|was))?\s?\(?(?:my|the|제|내|저의)?\s?{_STUDENT_NUMBER}))
    | (?P<resident>{_BEGINS}\d{{6}}\s?[-‐-―－]\s?[1-8]\d{{6}}{_ENDS})
    | (?P<phone>{_BEGINS}(?:{_PHONE}){_ENDS})
    | (?P<id>{_BEGINS}(?<!,)(?:[A-Za-z]{{0,3}}\d{{7,}}|(?:19|20)\d\d-\d{{5,6}}){_ENDS}(?![.,]\d))
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: Beside one of these a number is part of a formula.
_OPERATORS = "^*/×÷·+−<>≤≥≈%"
#: 1000000, 25000000: a quantity; 0101010101: a string of bits.
_PLAIN_NUMBER = re.compile(r"\d{1,3}0+|[01]+|\+?\d+\.\d+")
_KINDS: dict[str, Kind] = {
    **{"mail": "mail", "spelt": "mail", "phone": "phone"},
    **dict.fromkeys(("page", "bare", "student", "numbered", "resident", "id"), "id"),
}


def replace_forms(text: str, replacement: Callable[[Kind], str]) -> str:
    """The text with what ``replacement`` gives for each kind in place of what was found of it."""

    def replaced(found: re.Match[str]) -> str:
        form = found.lastgroup or ""
        if form in {"phone", "id"} and _is_number(found):
            return found.group()
        return (found["said"] or "") + replacement(_KINDS[form])

    return _FORMS.sub(replaced, text)


def _is_number(found: re.Match[str]) -> bool:
    """Whether these digits are a quantity rather than somebody's number."""
    start, end = found.span()
    before = found.string[max(0, start - 2) : start].rstrip()[-1:]
    after = found.string[end : end + 2].lstrip()[:1]
    is_in_formula = any(each and each in _OPERATORS for each in (before, after))
    return _PLAIN_NUMBER.fullmatch(found.group()) is not None or (found.lastgroup == "id" and is_in_formula)
