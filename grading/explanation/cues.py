"""The words by which a clause praises, misses or corrects, in each language, and the words of the template."""

from __future__ import annotations

import re
from collections.abc import Iterator

from grading.explanation import cues_en, cues_ko, phrases_en, phrases_ko
from grading.explanation.feedback import Language
from grading.explanation.words import content_stems

Cues = dict[Language, re.Pattern[str]]


#: Cues of one clause, in the order of reading: wishes, praise that names a fault only to deny it, corrections, what is
#: missing, what is to be done, what is vague, praise.
WISHES: Cues = {"en": cues_en.WISHES, "ko": cues_ko.WISHES}
DENIED_FAULTS: Cues = {"en": cues_en.DENIED_FAULTS, "ko": cues_ko.DENIED_FAULTS}
CORRECTS: Cues = {"en": cues_en.CORRECTS, "ko": cues_ko.CORRECTS}
MISSES: Cues = {"en": cues_en.MISSES, "ko": cues_ko.MISSES}
ASKS: Cues = {"en": cues_en.ASKS, "ko": cues_ko.ASKS}
VAGUE: Cues = {"en": cues_en.VAGUE, "ko": cues_ko.VAGUE}
PRAISES: Cues = {"en": cues_en.PRAISES, "ko": cues_ko.PRAISES}

#: Claims about the whole answer.
CLAIMS_ALL: Cues = {"en": cues_en.CLAIMS_ALL, "ko": cues_ko.CLAIMS_ALL}
CLAIMS_MUCH: Cues = {"en": cues_en.CLAIMS_MUCH, "ko": cues_ko.CLAIMS_MUCH}
CLAIMS_NOTHING: Cues = {"en": cues_en.CLAIMS_NOTHING, "ko": cues_ko.CLAIMS_NOTHING}

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
