"""The words by which a sentence praises, misses or corrects, and the vocabulary of tutors, in English and Korean."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grading.explanation import phrases_en, phrases_ko
from grading.explanation.feedback import Language
from grading.explanation.words import content_stems

Cues = dict[Language, re.Pattern[str]]


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


#: Cues of one clause. The order is the order of reading: a clause that corrects is no praise.
CORRECTS: Cues = {
    "en": _any_of(
        r"\bmixed up\b",
        r"\bmix(?:es|ing)? up\b",
        r"\bconfus",
        r"\bwrong\b",
        r"\bincorrect",
        r"\bnot (?:quite |really |yet )?(?:right|correct|true)",
        r"\bswapp",
        r"\brevers",
        r"\bother way (?:a)?round",
        r"\blook again\b",
        r"\banother look\b",
        r"\brethink",
        r"\bput (?:it|this|that) right",
        r"\bcorrect (?:that|this|it)\b",
        r"\bfix\b",
        r"\bmisunderst",
        r"\bmistake",
        r"\bdoes(?:n't| not) fit",
        r"\berror in\b",
    ),
    "ko": _any_of(
        "헷갈",
        "뒤섞",
        "뒤바뀌",
        "바뀌었",
        "틀렸",
        "틀린",
        "잘못",
        "다시 (?:확인|살펴|보세|생각|정리)",
        "바로잡",
        "고쳐",
        "오해",
        "거꾸로",
        "반대",
    ),
}

MISSES: Cues = {
    "en": _any_of(
        r"\bmissing\b",
        r"\bmissed\b",
        r"\badd\b",
        r"\badding\b",
        r"\bwhat about\b",
        r"\bleaves? out\b",
        r"\bleft out\b",
        r"\bstill\b",
        r"\bneeds?\b",
        r"\black",
        r"\bwithout\b",
        r"\bnot (?:in your answer|mention|say|there|cover|explain)",
        r"\b(?:did|do|does)(?:n't| not) (?:say|mention|explain|cover)",
        r"\bnext\b",
        r"\bbegin with\b",
        r"\bstart with\b",
        r"\bwrite (?:a|one|about)\b",
        r"\bsentence (?:on|about)\b",
        r"\binclude\b",
        r"\bgo on\b",
        r"\bcould you\b",
        r"\bcan you\b",
        r"\bopen\b",
        r"\bforg[eo]t",
        r"\bomit",
        r"\babsent\b",
        r"\bnothing (?:on|about)\b",
        r"\?",
    ),
    "ko": _any_of(
        "빠진",
        "빠져",
        "빠졌",
        "없어요",
        "더해",
        "추가",
        "덧붙",
        "보완",
        "채워",
        "적어 보",
        "써 보",
        "부족",
        "부터",
        "누락",
        "언급하지",
        r"\?",
    ),
}

VAGUE: Cues = {
    "en": _any_of(
        r"\bvague",
        r"\bonly touch",
        r"\bmore exact",
        r"\bmore precise",
        r"\bexactly what\b",
        r"\bright direction",
        r"\bpartly",
        r"\bpartial",
        r"\balmost\b",
        r"\bmore detail",
        r"\bin more",
        r"\bhalf\b",
        r"\bsharpen",
        r"\bclearer",
    ),
    "ko": _any_of(
        "모호",
        "조금 더",
        "방향은",
        "자세히",
        "구체적",
        "부분적",
        "풀어",
    ),
}

PRAISES: Cues = {
    "en": _any_of(
        r"\bright\b",
        r"\bcorrect",
        r"\bwell\b",
        r"\bgood\b",
        r"\bgreat\b",
        r"\bnice",
        r"\bclear",
        r"\bspot on\b",
        r"\bexact",
        r"\bexcellent",
        r"\bperfect",
        r"\blovely",
        r"\bsolid",
        r"\bstrong",
        r"\bfits?\b",
        r"\baccurate",
        r"\bunderstand",
        r"\bi like\b",
        r"\bto the point\b",
        r"\bprecise",
        r"\bfine\b",
    ),
    "ko": _any_of(
        "잘 ",
        "정확",
        "맞아",
        "맞게",
        "맞았",
        "맞는",
        "좋아",
        "좋은",
        "훌륭",
        "완벽",
        "드러나",
        "충분",
        "이해한",
    ),
}

#: Claims about the whole answer.
CLAIMS_ALL: Cues = {
    "en": _any_of(
        r"\bcomplete(?:ly right| answer)?\b",
        r"\beverything\b",
        r"\bnothing (?:is |was )?(?:missing|left)",
        r"\ball (?:of it|the parts|the points|parts|points|three|is (?:there|right|correct))",
        r"\bperfect",
        r"\bfull answer",
        r"\bfully\b",
    ),
    "ko": _any_of(
        "빠짐없이",
        "모두 ",
        "완벽한",
        "완벽해",
        "전부",
        "더 채울 곳이 없",
    ),
}

CLAIMS_MUCH: Cues = {
    "en": _any_of(
        r"\bexcellent",
        r"\bvery good",
        r"\breally good",
        r"\bgreat (?:answer|work|job)",
        r"\bwell done",
        r"\bgood answer",
        r"\bstrong answer",
        r"\bnearly there",
        r"\bmost of (?:it|the)",
        r"\bamazing",
        r"\bfantastic",
        r"\boutstanding",
        r"\bbrilliant",
        r"\bspot on\b",
    ),
    "ko": _any_of(
        "훌륭",
        "아주 좋",
        "정말 잘",
        "거의 (?:다|완벽)",
        "대부분 잘",
        "좋은 답",
    ),
}

CLAIMS_NOTHING: Cues = {
    "en": _any_of(
        r"\bnot there yet",
        r"\bdoes(?:n't| not) answer",
        r"\b(?:completely|totally|all|entirely) (?:wrong|incorrect)",
        r"\bnothing (?:is )?(?:right|correct)",
        r"\boff (?:the mark|topic)",
        r"\bfar from",
        r"\bfirst step\b",
        r"\bmade a start\b",
    ),
    "ko": _any_of(
        "답이 되지 않",
        "전혀",
        "완전히 틀",
        "첫걸음",
        "이제 시작",
    ),
}

_TUTOR_WORDS_EN = """
absolutely accurate across actually add additional advice again agree alone already also although always another
answer answered answering apart apply around ask asked aspect attempt attention aware away back bad base basic
because begin beginning best better big bit bring brief briefly build call careful carefully case cases catch
change check clear clearly close closely come comes compact compare comparison complete completely concept
confuse confused connect consider contain continue correct correctly cover covered covers definition describe
described description detail difference different direction directly does draw each easy effect either else
enough entirely especially even every everything exact exactly example excellent explain explained explaining
explanation extend extra fact fair fairly far feel few find fine finish first fit fits fix focus follow form
forward found friend full fully further get gets getting give given gives giving go goes going good got great
half hand happen happens hard have hear help helpful helps here hint hold honest honestly idea important improve
inside instead interest into involve job just keep kind know known later lead learn least leave leaves left let
like line list little long look looking lot lovely made main make makes many mark matter mean meaning means
mention mentioned mind miss missed missing mistake mix mixed moment more most move much name naming nearly need
needed needs next nice nicely note notes nothing notice now number obvious off okay open opposite order other
others out over own pair paper part partly parts pass path perfect phrase pick picture piece pieces place plain
please plus point points possible practice precise precisely probably problem proper properly put question
questions quite read reading ready real really reason reasons recheck remember repeat rest rethink reverse
reversed review right role round same say saying says second see seem seems sense sentence sentences separate
set somebody someone stays sharp sharpen short shorter should show shows side similar simple simply single skip
small smart solid some something soon sort sound spot stand start state statement stay step steps still strong
sure swap swapped take takes talk tell term terms text thank thanks then there thing things think third thought
three through tidy time times together too top topic touch towards true truly try trying turn two understand
understanding understood unclear until up use used useful using vague version view way ways well were what whole
why wonderful word words work working worth write writing written wrong yet yourself you done
"""
_TUTOR_WORDS_KO = """
아주 정말 매우 조금 거의 모두 전부 아직 이제 먼저 우선 다시 그리고 하지만 그런데 그래서 또는 특히 여기 그것 이것 저것
부분 내용 설명 설명했어요 답 답은 답에 답이에요 대답 질문 문장 문장으로 한 하나 하나씩 두 세 가지 번 좋아요 좋은 좋겠
잘했 훌륭 완벽 정확 정확하게 맞아요 맞게 맞는 맞지만 빠진 빠져 빠졌 있어요 없어요 없이 있는 되지 돼요 됩니다 해요 해서
해 보세요 봐요 보여요 봅시다 써 쓴 썼어요 적어 적은 적었 더해 더하 채워 채울 채우 추가 보완 부족 필요 확인 살펴 생각
떠올 정리 헷갈 뒤섞 바뀌 틀렸 틀린 잘못 바로잡 고쳐 방향 모호 자세 구체 출발 출발점 첫걸음 시작 일부 중요 대부분 이해
드러나 자료 말로 자기 자기만 친구 예 예를 예시 들어 여유 이대로 계속 그대로 나아가 걸음 곳이 곳 물어본 필요한 같아요 것
거예요 뜻 이유 방법 과정 차이 무엇 어떻게 왜 언제 어떤 어디 누가 그럼 조금만 더 덜 빠짐없 왔어요 잡았 다 개념 표현
관계 역할 의미 연결 비교 구분 함께 각각 서로 나머지 풀어 만해 뗐어 않았 않아 볼게 중요한 있다면 있다 없다 가장 바로
훌륭해요 부탁 해볼 도전 훨씬 충분 간단 짧지 짧은 핵심 정도 위해 대한 대해
"""


def _texts_in(value: object) -> Iterator[str]:
    """All texts in the tuples and mappings of a module of wordings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in _texts_in(each))
    elif isinstance(value, tuple):
        yield from (text for each in value for text in _texts_in(each))


_WORDINGS = [
    text
    for module in (phrases_en, phrases_ko)
    for name, value in vars(module).items()
    if name.isupper()
    for text in _texts_in(value)
]

#: Stems that a tutor may use without support from question, reference or answer: the template's own words and these.
TUTOR_STEMS = frozenset(content_stems(" ".join([_TUTOR_WORDS_EN, _TUTOR_WORDS_KO, *_WORDINGS])))
