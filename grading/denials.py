"""Statements that a sentence keeps word for word and denies as a whole: "It is not true that …", "…는 말은 틀렸다".

A reader of tokens finds every word of the key point there and nothing of the turn that takes it back.
"""

from __future__ import annotations

import re

_WRONG = r"(?:wrong|false|incorrect|untrue|mistaken|nonsense|a (?:myth|mistake|misconception|misunderstanding|lie))"
_NOT_SO = rf"(?:(?:\w+ly |just )?(?:not (?:\w+ly )?(?:true|correct|right|so|the case)|{_WRONG}))"
_THINK = r"(?:think|believe|agree|say|claim|assume|state)"
_OPENINGS = re.compile(
    rf"^(?:[^,.]{{0,40}},\s*)?(?:it(?:'s| is| was|s) {_NOT_SO}(?: to {_THINK})?"
    rf"|i (?:do not|don't|dont|would not|wouldn't) {_THINK}"
    rf"|(?:nobody|no one)(?: [\w ]{{0,40}})? (?:would |could |should )?{_THINK}s?"
    rf"|(?:one|you|we) (?:cannot|can't|can not|should not|shouldn't|must not) {_THINK}"
    rf"|the (?:claim|idea|statement|belief) is {_NOT_SO})"
    rf",? that\s+(?P<said>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_CLOSINGS = re.compile(
    rf"^(?:the (?:claim|idea|statement|belief) )?that (?P<said>.+?),? (?:is|was) {_NOT_SO}[.!\s]*$",
    re.IGNORECASE | re.DOTALL,
)
_CLOSINGS_KO = re.compile(
    r"^(?P<said>.+?)(?:(?:라|다)?고 하는|(?:이?라)?고 말하는|(?:이?라)?는|는)\s?"
    r"(?:것은|것이|건|말은|설명은|주장은|생각은|의견은|이야기는)\s?(?:전혀|결코|절대|명백히)?\s?"
    r"(?:사실이?\s?아니|사실과\s?다르|참이\s?아니|틀[리린렸려]|잘못|거짓|오해|옳지\s?않|맞지\s?않|말이\s?안)[^.]{0,20}[.!\s]*$",
    re.DOTALL,
)
_TURNS_KO = re.compile(
    r"^(?P<said>.+?다)(?:라)?고\s?(?:(?:흔히|쉽게)\s?)?(?:생각|알|믿|말|여기)[^.]{0,20}(?:지만|으나|는데)[^.]{0,20}"
    r"(?:그렇지\s?않|아니|사실이\s?아니|틀[리린렸려])[^.]{0,10}[.!\s]*$|"
    r"^(?P<held>.+?다)(?:라)?고\s?(?:볼|할|말할|생각할)\s?수(?:는|가)?\s?없[^.]{0,10}[.!\s]*$",
    re.DOTALL,
)
_QUOTES = " '\"‘’“”"


def denied_statement(sentence: str) -> str | None:
    """What the sentence says and denies as a whole; ``None`` where it denies nothing as a whole."""
    straight = sentence.strip().replace("’", "'")
    for pattern in (_OPENINGS, _CLOSINGS, _CLOSINGS_KO, _TURNS_KO):
        match = pattern.match(straight)
        if match is not None:
            return next(said for said in match.groupdict().values() if said).strip(_QUOTES)
    return None
