"""Words by which a text tells a score: digits, shares, marks and letters, in English and Korean."""

from __future__ import annotations

import re

_COUNT = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundred|\d+)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
)
_COUNT_KO = "(?:영|[일이삼사오육칠팔구]?[십백][일이삼사오육칠팔구]?[십]?[일이삼사오육칠팔구]?)"
SCORE = re.compile(
    rf"\d+\s*(?:%|points?\b|marks?\b)|{_COUNT}\s*(?:per ?cent\b|marks?\b|tenths\b|points? (?:of|out|for)\b)"
    rf"|(?:you|get|gets|earn|score|that's|that is|worth|makes?|give you) {_COUNT} points?\b|\d+\s*/\s*\d+"
    rf"|\b{_COUNT} out of {_COUNT}\b(?! (?:parts|things|questions|steps))|\bout of (?:ten|\d)"
    r"|\b(?:your|the) (?:score|grade|mark)s? (?:is|are|of)\b"
    r"|\b(?:deserve|award|earn|get|give you)s? the (?:maximum|most|best)\b"
    r"|\b(?:full|half|most|all|some|no|top) (?:of )?(?:the |your )?(?:points?|marks?|credit|scores?)(?! (?:are"
    r"|is) (?:there|right|covered|in))"
    r"|\b(?:get|gets|earn|got|receive|give you|makes?|worth) (?:an?|it an?) (?-i:[A-F])\b(?:[ -]?(?:plus|minus)"
    r"|[+-])?|\b(?-i:[A-F]) (?:plus|minus)\b"
    r"|\d+\s*(?:점|퍼센트|프로)|만점|퍼센트|프로(?:예|입|죠)"
    rf"|(?:^|(?<=[\s⟧])){_COUNT_KO} ?점(?=$|[\s.,!이입만을에짜중])|[이삼사오육칠팔구십백]분의 ?[일이삼사오육칠팔구]"
    rf"|[에비씨] ?(?:플러스|마이너스|학점)"
    r"|점수(?:는|를|가)? (?:\S+ )?(?:받|얻|드|줄|정도|말하|이에|입니|\S+ ?점)|의 점수",
    re.IGNORECASE,
)
