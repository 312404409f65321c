"""Korean wordings (해요체) of a feedback object; every tuple holds sentences of equal meaning."""

from __future__ import annotations

from collections.abc import Sequence

from grading.domain import Flag, Verdict
from grading.explanation.feedback import Band, Step

COMPLETE = (
    "아주 좋아요. 물어본 내용이 빠짐없이 들어 있어요.",
    "훌륭해요. 필요한 내용을 모두 설명했어요.",
    "정확해요. 더 채울 곳이 없는 답이에요.",
)
COMPLETE_BY_TOPIC = (
    "아주 좋아요. 물어본 내용을 빠짐없이 다뤘어요.",
    "잘 썼어요. 물어본 내용이 모두 들어 있어요.",
)
OPENING: dict[Band, tuple[str, ...]] = {
    Band.FULL: ("아주 좋은 답이에요.", "정말 잘 썼어요.", "아주 잘 썼어요."),
    Band.MOST: ("좋은 답이에요. 거의 다 왔어요.", "대부분 잘 설명했어요.", "잘 썼어요. 조금만 더 채우면 돼요."),
    Band.HALF: ("좋은 출발이에요. 일부는 잘 설명했어요.", "방향을 잘 잡았어요.", "중요한 내용이 일부 들어 있어요."),
    Band.LITTLE: ("첫걸음은 뗐어요.", "이제 시작이에요. 조금씩 채워 봐요.", "출발점은 보여요."),
    Band.NONE: ("아직은 답이 되지 않았지만 다시 해 볼 만해요.", "아직은 부족하지만 하나씩 채워 봐요."),
}
# Of a question without key points less is known than the score says.
OPENING_BY_TOPIC: dict[Band, tuple[str, ...]] = {
    Band.MOST: ("방향을 잘 잡았어요.", "여기까지 잘 썼어요."),
    Band.HALF: ("좋은 출발이에요.", "시작이 좋아요."),
}
OPENING_UNSURE = ("조금 더 다듬어 볼 만해요.", "한 번 더 살펴볼 만해요.")
WELL_PUT = (" “{quote}” 부분이 특히 좋아요.", " “{quote}” 부분에서 잘 이해한 게 보여요.")
TOLD: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "{names_obj} 잘 설명했어요.",
        "{names_topic} 맞게 썼어요.",
        "{names_topic} 정확해요.",
    ),
    Verdict.CONTRADICTED: (
        "{names_topic} 다시 확인해 보세요.",
        "{names_topic} 내용이 조금 뒤섞였어요.",
    ),
    Verdict.PARTIAL: (
        "{names_topic} 방향은 맞지만 조금 더 정확한 설명이 필요해요.",
        "{names_topic} 아직 조금 모호해요.",
    ),
    Verdict.MISSING: (
        "아직 빠진 것: {names}.",
        "{names_subject} 아직 빠져 있어요.",
        "{names_topic} 아직 답에 없어요.",
    ),
}
TOLD_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "{names_obj} 잘 설명했어요. 특히 “{quote}” 부분이 좋아요.",
        "{names_topic} 맞게 썼어요. “{quote}” 부분이 좋아요.",
        "{names_topic} 정확해요. “{quote}” 부분에 잘 드러나요.",
    ),
    Verdict.CONTRADICTED: (
        "{names_topic} 다시 확인해 보세요. “{quote}” 부분이 헷갈린 것 같아요.",
        "{names_topic} 내용이 조금 뒤섞였어요. “{quote}” 부분을 다시 보세요.",
    ),
}
# Of topics: true too where the answer speaks of them and lacks what there is to say.
TOPIC: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: ("{names}에 대해 쓴 점이 좋아요.", "{names}에 대한 설명이 들어 있어요."),
    Verdict.CONTRADICTED: ("{names}에 대한 설명이 맞는지 한 번 더 확인해 보세요.",),
    Verdict.PARTIAL: ("{names}에 대한 설명이 더 필요해요.", "{names}에 대해 더 설명할 내용이 있어요."),
}
TOPIC_ASKED = ("{names}에 대해 덧붙일 내용이 있는지 살펴보세요.", "{names}에 대해 더 쓸 것이 있는지 살펴보세요.")
UNNAMED_ASKED = ("덧붙일 내용이 있는지 한 번 더 살펴보세요.", "질문을 다시 읽고 더 쓸 것이 있는지 살펴보세요.")
TOPIC_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "{names}에 대해 쓴 점이 좋아요. 예를 들면 “{quote}” 부분이에요.",
        "{names}에 대한 설명이 들어 있어요. “{quote}” 부분이에요.",
    ),
    Verdict.CONTRADICTED: ("{names}에 대한 설명, 특히 “{quote}” 부분이 맞는지 한 번 더 확인해 보세요.",),
}
# Of points without a name: what the answer has of them, without saying which they are.
REST = "질문의 다른 부분"
UNNAMED: dict[Verdict, tuple[str, ...]] = {
    Verdict.CONTRADICTED: ("모두 맞는지 한 번 더 확인해 보세요.",),
    Verdict.PARTIAL: ("더 설명할 내용이 조금 있어요.", "조금 더 자세하거나 정확한 설명이 필요해요."),
    Verdict.MISSING: ("질문에 대한 답이 아직 다 들어 있지는 않아요.",),
}
UNNAMED_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: ("“{quote}” 부분이 좋아요.", "“{quote}” 부분이 돋보여요."),
    Verdict.CONTRADICTED: ("“{quote}” 부분이 맞는지 한 번 더 확인해 보세요.",),
}
NEXT: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("자료를 다시 보고 그 부분을 자기 말로 고쳐 써 보세요.", "먼저 그 부분부터 바로잡아 보세요."),
    Step.ADD: ("그 내용을 한 문장으로 더해 보세요.", "자기 말로 한 문장만 더 써 보세요."),
    Step.SHARPEN: ("그 부분을 조금 더 정확하게 써 보세요.", "그 부분을 한 문장만 더 풀어 써 보세요."),
    Step.EXTEND: (
        "여유가 있다면 자기만의 예를 하나 더해 보세요.",
        "이제 친구에게 예를 들어 설명해 보세요.",
        "이대로 계속해요.",
    ),
}
# Where what is lacking has no name.
NEXT_UNNAMED: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("먼저 쓴 내용을 자료와 비교해 보세요.",),
    Step.ADD: (
        "질문을 다시 읽고 아직 답하지 않은 것을 한 문장으로 더해 보세요.",
        "질문이 또 무엇을 묻는지 다시 살펴보세요.",
    ),
    Step.SHARPEN: (
        "답을 다시 읽고 가장 모호한 문장을 고쳐 써 보세요.",
        "한 문장만 더 정확하게 써 보세요.",
    ),
}
NEXT_FOCUS: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("먼저 {focus}부터 바로잡아 보세요.", "우선 {focus}부터 다시 살펴보세요."),
    Step.ADD: ("먼저 {focus}부터 한 문장으로 써 보세요.", "우선 {focus}부터 채워 보세요."),
    Step.SHARPEN: ("우선 {focus}부터 조금 더 정확하게 써 보세요.",),
    Step.EXTEND: ("{focus}에서 한 걸음 더 나아가 보세요.",),
}
GATE: dict[Flag, tuple[str, ...]] = {
    Flag.NEEDS_PERSON: (
        "많이 힘든 일을 겪고 있는 것처럼 들려요. 그것이 이 퀴즈보다 훨씬 중요해요. 혼자 견디지 않아도 돼요. 가족이나"
        " 친구, 의사, 학교 상담실처럼 믿을 수 있는 사람에게 오늘 꼭 이야기해 주세요. 선생님께 말해도 괜찮아요."
        " 선생님도 여기에서 사람의 도움이 필요하다는 것을 볼 수 있어요. 지금 위험한 상황이라면 있는 곳에서 바로 도움을"
        " 청해 주세요. 이 일로 점수가 달라지지는 않아요.",
    ),
    Flag.BLANK: (
        "아직 답이 비어 있어요. 아는 만큼만, 한 문장이라도 적어 보세요.",
        "적은 내용이 없어요. 떠오르는 것부터 편하게 써 보세요.",
    ),
    Flag.DONT_KNOW: (
        "솔직하게 말해 줘서 고마워요. 처음부터 다 아는 사람은 없어요.",
        "괜찮아요. 모르는 것을 아는 것도 좋은 출발이에요.",
    ),
    Flag.GIBBERISH: (
        "무슨 뜻인지 알아보기 어려워요. 온전한 문장으로 다시 써 주세요.",
        "아직 답으로 읽히지 않아요. 쉬운 문장 몇 개로 다시 써 보세요.",
    ),
    Flag.QUESTION_COPIED: (
        "질문을 거의 그대로 옮겨 썼어요. 이제 자기 말로 답해 보세요.",
        "질문이 다시 적혀 있어요. 친구가 물어봤다면 뭐라고 답할지 써 보세요.",
    ),
    Flag.MODEL_ANSWER_PASTED: (
        "다른 글을 그대로 옮긴 것처럼 보여요. 자기 말로 풀어 쓰면 이해한 것이 더 잘 드러나요.",
        "어딘가에서 가져온 문장 같아요. 친구에게 설명하듯이 다시 써 주세요.",
    ),
    Flag.INSTRUCTION: (
        "채점기에 하는 말이 섞여 있어요. 질문에 대해 쓴 내용만 살펴보니 질문에 답해 주세요.",
        "질문에 대한 답이 아닌 말이 들어 있어요. 질문에 대한 내용만 적어 주세요.",
    ),
    Flag.OFF_TOPIC: (
        "질문에 대한 답이 아직 보이지 않아요. 질문을 다시 읽고 답해 보세요.",
        "아직 질문에 대한 답으로 보이지 않아요. 질문을 한 번 더 살펴봐 주세요.",
    ),
}
CONTACT = " 이곳에 연락할 수도 있어요: {contact}"
GATE_STEP = (" {focus}부터 시작하면 좋아요.", " 먼저 {focus}부터 생각해 보세요.")


def joined(names: Sequence[str]) -> str:
    """Names as a list inside a sentence."""
    return ", ".join(names)


def with_particle(text: str, after_consonant: str, after_vowel: str) -> str:
    """``text`` with the particle that its last syllable asks for; what does not end in Hangul gets a noun first."""
    if not text or not "가" <= text[-1] <= "힣":
        text = f"{text} 부분"
    has_final_consonant = (ord(text[-1]) - ord("가")) % 28 > 0
    return text + (after_consonant if has_final_consonant else after_vowel)


def forms(names: Sequence[str]) -> dict[str, str]:
    """The list of names in the forms that the sentences above ask for."""
    text = joined(names)
    return {
        "names": text,
        "names_obj": with_particle(text, "을", "를"),
        "names_topic": with_particle(text, "은", "는"),
        "names_subject": with_particle(text, "이", "가"),
    }
