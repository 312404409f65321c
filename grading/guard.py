"""Gates before the model: answers that need no model, and what must be taken out of an answer before it is scored.

Nothing a gate does can raise a score: it takes sentences away or sets the score to 0. A pasted model answer is only
flagged; whether that is allowed is for the instructor to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from grading.domain import Flag, Question
from grading.plausibility import is_gibberish
from grading.text import BLANK, Part, clean, language_of, ngrams, sentence_parts, sentences, squeezed, terms, words

_NEAR_COPY = 0.85
_MAX_SENTENCES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedAnswer:
    """What is left to score.

    ``parts`` are its sentences in the student's own words and order, each once, with their places in ``written``, the
    cleaned answer; ``is_empty_handed`` says that nothing is left that could earn points, so that the fraction is 0
    without asking the model.
    """

    written: str
    parts: tuple[Part, ...]
    flags: frozenset[Flag]
    is_empty_handed: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentences to score, words said twice in a row once."""
        return tuple(part.text for part in self.parts)

    @property
    def text(self) -> str:
        """What is scored, as one text."""
        return " ".join(self.sentences)


def guard(question: Question, answer: str) -> GuardedAnswer:
    """The answer without instructions, copies of the question and repetitions, and what was noticed about it."""
    written = clean(answer)
    flags: set[Flag] = set()
    if not any(character.isalnum() for character in written):
        return _empty_handed(written, {Flag.BLANK})
    # What is taken out is blanked, so that the places of the rest stay those in the student's text.
    text = _without_stutter(_without_instructions(written, flags), flags)
    kept = _without_repetitions(sentence_parts(text), flags)[:_MAX_SENTENCES]
    kept = _without_question(question, kept, flags)
    if not kept:
        return _empty_handed(written, flags or {Flag.BLANK})
    left = " ".join(part.text for part in kept)
    if is_dont_know(left, question):
        return _empty_handed(written, flags | {Flag.DONT_KNOW})
    if is_gibberish(left, known=(question.prompt, *question.model_answers)):
        return _empty_handed(written, flags | {Flag.GIBBERISH})
    if language_of(left) != _expected_language(question) and len(words(left)) >= 4:
        flags.add(Flag.OTHER_LANGUAGE)
    if is_model_answer([part.text for part in kept], question):
        flags.add(Flag.MODEL_ANSWER_PASTED)
    return GuardedAnswer(written=written, parts=tuple(kept), flags=frozenset(flags), is_empty_handed=False)


def is_dont_know(text: str, question: Question) -> bool:
    """Whether the whole answer says no more than that the student does not know.

    True where it says so and what remains beside it, the question's own words and small talk is next to nothing:
    "I forgot the rest" after a real answer is no such case.
    """
    said = [part for part in sentences(text) if _DONT_KNOW.search(part)]
    if not said:
        return bool(_SHORT_PASS.fullmatch(text.strip()))
    if any(_is_statement(part) for part in sentences(text) if part not in said):
        return False
    prompt_terms = set(terms(question.prompt))
    rest = " ".join(_DONT_KNOW.sub(" ", part) for part in sentences(text))
    left = [word for word in words(_SMALL_TALK.sub(" ", rest)) if _is_content(word, prompt_terms)]
    # Small talk in a short refusal is as good as none; in a long text little may remain.
    length = len(words(text))
    return len(left) <= (6 if length <= 9 else 4 if length <= 16 else 2)


def is_model_answer(kept: list[str], question: Question) -> bool:
    """Whether the answer is a model answer (or several of its sentences and nothing else that differs)."""
    answer = squeezed(" ".join(kept))
    for model_answer in question.model_answers:
        reference = squeezed(clean(model_answer))
        if len(answer) >= 0.9 * len(reference) and (answer in reference or reference in answer):
            return True
        parts = {squeezed(part) for part in sentences(clean(model_answer))}
        if len(parts) > 1 and parts <= {squeezed(part) for part in kept}:
            return True
    return False


def _is_statement(part: str) -> bool:
    """Whether a sentence asserts something, the question's own words included, however little it is."""
    content = [word for word in words(_SMALL_TALK.sub(" ", part)) if _is_content(word, set())]
    return not part.endswith(("?", "？")) and len(content) >= 4


def _is_content(word: str, prompt_terms: set[str]) -> bool:
    own = set(terms(word))
    return bool(own) and not own & prompt_terms and not own & _TALK_TERMS


def _empty_handed(written: str, flags: Iterable[Flag]) -> GuardedAnswer:
    return GuardedAnswer(written=written, parts=(), flags=frozenset(flags), is_empty_handed=True)


def _expected_language(question: Question) -> str:
    return language_of(" ".join((question.prompt, *question.model_answers)))


def _without_instructions(text: str, flags: set[Flag]) -> str:
    """Data that speaks to the grader is blanked: JSON with a score in it, role markers, pleas for marks, fake comments.

    By as many line breaks, since what stood before and after it are no longer one sentence.
    """
    left = _JSON_SCORE.sub(lambda match: "\n" * len(match.group()), text)
    left = "\n".join("\n" * len(line) if _SPEAKER.match(line) else line for line in left.split("\n"))
    for part in sentence_parts(left):
        if _INSTRUCTION.search(part.text):
            left = left[: part.start] + "\n" * len(part.raw) + left[part.end :]
    if left != text:
        flags.add(Flag.INSTRUCTION)
    return left


def _without_stutter(text: str, flags: set[Flag]) -> str:
    """A word said several times in a row is kept once, the others are blanked."""
    kept: list[str] = []
    for line in text.split("\n"):
        tokens: list[str] = []
        last, run = "", 0
        for token in line.split(" "):
            run = run + 1 if token and token.lower() == last else 0
            if run >= 2:
                flags.add(Flag.REPEATED)
            tokens.append(BLANK * len(token) if run else token)
            last = token.lower()
        kept.append(" ".join(tokens))
    return "\n".join(kept)


def _without_repetitions(parts: list[Part], flags: set[Flag]) -> list[Part]:
    kept: list[Part] = []
    seen: set[str] = set()
    for part in parts:
        key = squeezed(part.raw)
        if key in seen and len(key) > 3:
            flags.add(Flag.REPEATED)
            continue
        seen.add(key)
        kept.append(part)
    return kept


def _without_question(question: Question, parts: list[Part], flags: set[Flag]) -> list[Part]:
    """Sentences that only repeat the question earn nothing and are left out."""
    prompt = clean(question.prompt)
    copies = [prompt, *sentences(prompt)]
    keys = {squeezed(copy) for copy in copies}
    grams = [ngrams(copy) for copy in copies if len(squeezed(copy)) >= 12]
    kept = [part for part in parts if not _is_copy(part.text, keys, grams)]
    if len(kept) < len(parts):
        flags.add(Flag.QUESTION_COPIED)
    return kept


def _is_copy(part: str, keys: set[str], grams: list[set[str]]) -> bool:
    if squeezed(part) in keys and len(squeezed(part)) >= 12:
        return True
    own = ngrams(part)
    return any(len(own & other) >= _NEAR_COPY * len(own | other) for other in grams)


_DONT_KNOW = re.compile(
    r"\b(?:i\s+)?(?:really\s+|honestly\s+|just\s+|still\s+)*(?:do\s*n[o']?t|dont|don’t|did\s*n[o']?t|didnt)\s+"
    r"(?:really\s+|even\s+|actually\s+)*(?:know|remember|recall|understand|have\s+(?:a\s+clue|an?y?\s*idea|an\s+answer)|get\s+(?:it|this))"
    r"|\bdunno\b|\bidk\b|\bno\s+(?:idea|clue|answer)\b|\bnot\s+(?:really\s+)?sure\b|\bno\s+memory\b"
    r"|\b(?:can\s*not|can['’]?t|couldn['’]?t|could\s+not)\s+(?:really\s+)?(?:\w+\s+)?(?:remember|recall|answer|explain|say|tell|describe|think\s+of)"
    r"|\b(?:i\s+)?(?:have\s*n[o']?t|haven['’]?t|havent|never)\s+(?:\w+\s+)?(?:heard|learned|learnt|studied|read|got|had|seen|covered)"
    r"|\bi\s+(?:forgot|forget|skipped|missed|blanked|mix\s+up|always\s+mix)|\bi(?:['’]ll| will)?\s+(?:skip|pass)\b"
    r"|\bwould\s+have\s+to\s+(?:guess|look)|\bran\s+out\s+of\s+time|\bleave\s+(?:it|this)\s+(?:empty|blank)"
    r"|\bonly\s+(?:know|remember)\s+that\b|\bskip\b|\bpass\b(?=\W*$)|\bwe\s+skipped"
    r"|모르|모름|몰라|몰랐|모릅|기억이?\s*(?:안|나지|잘\s*안)|기억\s*못|까먹|잊어|못\s*(?:하겠|쓰겠|풀겠|적겠|했|나갔|배웠|들었)"
    r"|안\s*(?:배웠|배운|했|들었|해\s*봐)|배우지\s*(?:못|않)|패스|처음\s*(?:들|봐|보)|공부를?\s*(?:안|못|다시)|헷갈|떠올라|다시\s*(?:봐야|풀)"
    r"|생각이?\s*(?:안|나지)|자신이?\s*없",
    re.IGNORECASE,
)
_SHORT_PASS = re.compile(r"(?:[\W_]*(?:skip|pass|n/?a|none|nothing|no|idk|x|패스|없음|노코멘트))+[\W_]*", re.IGNORECASE)
_SMALL_TALK = re.compile(
    r"\b(?:sorry|hmm+|um+|uh|tbh|honestly|unfortunately|please|yet|lecture|chapter|class|course|tutor|yet|ever|at all"
    r"|i|me|my|we|us|today|time|name|heard|lol|haha|term|word|topic)\b"
    r"|죄송\S*|미안\S*|아직\S*|진짜\S*|정말\S*|음+\b|글쎄\S*|이건|이거|이름\S*|들어\s*봤\S*|들어는\S*|봤\S*|설명\S*|내용\S*|공부\S*|답\S*"
    r"|수업\S*|다음에\S*|하나도|전혀\S*|용어\S*|나머지\S*|부분\S*|겠\S*|않\S*|네요|[ㄱ-ㅎㅏ-ㅣ]+",
    re.IGNORECASE,
)
_TALK_TERMS = frozenset(
    ("know", "answ", "explain", "say", "tell", "mean", "read", "study", "learn", "miss", "difference", "how", "why")
)
_JSON_SCORE = re.compile(
    r"```(?:(?!```).){0,4000}```(?=\s|$)|[\[{][^{}\[\]]{0,2000}[\"'“]?\b(?:score|grade|fraction|points?|marks?|verdict|correct|result|점수|채점)"
    r"\b[\"'”]?\s*[:=][^{}\[\]]{0,2000}[}\]]",
    re.IGNORECASE | re.DOTALL,
)
_SPEAKER = re.compile(
    r"\s*[<\[(#*]*\s*(?:system|assistant|user|developer|tutor|teacher|grader|instructor|examiner|professor|ta"
    r"|튜터|선생님|교수님?|채점자|조교|시스템)(?:['’]?s)?(?:의)?\s*(?:comment|feedback|note|message|remark|verdict|assessment|prompt|instruction"
    r"|코멘트|평가|의견|피드백|메모|메시지)?s?\s*[>\])#*]*\s*[:：]",
    re.IGNORECASE,
)
_MARKS = r"(?:marks?|points?|scores?|credits?|grades?|10/10|100\s*(?:%|percent|/\s*100)?|1\.0|an?\s+a\+?)"
_INSTRUCTION = re.compile(
    rf"\b(?:give|award|assign|grant|output|return)\b.{{0,40}}\b(?:full|max(?:imum)?|perfect|highest|top|100|10/10)\b.{{0,12}}{_MARKS}"
    rf"|\b(?:give|award|assign|grant)\s+(?:me|this|it|the\s+(?:student|answer))\b.{{0,30}}{_MARKS}"
    r"|\b(?:full|max(?:imum)?)\s+(?:marks|points|credit|score)\b.{0,20}(?:please|!|\.|$)"
    r"|\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules?|rubric|prompts?|key\s*points|criteria|above|previous)\b"
    r"|\b(?:dear|hey|hello|note\s+to(?:\s+the)?|attention)\s+(?:grader|tutor|teacher|ai|model|assistant|examiner|professor)\b"
    r"|\byou\s+are\s+(?:now\s+)?(?:a|an|the)\s+(?:\w+\s+){0,2}(?:grader|tutor|assistant|examiner|ai|model)\b"
    r"|\b(?:this|my|the)\s+(?:answer|response|submission|student['’]?s?\s+answer)\s+(?:is|should\s+be|must\s+be|deserves|was)\s+"
    r"(?:\w+\s+){0,3}(?:correct|perfect|complete|right|excellent|graded|marked|scored|full|accepted)\b"
    r"|\bthe\s+student\s+(?:has\s+)?(?:\w+\s+)?(?:covers|covered|answered|answers|explains|explained|mentions|mentioned|deserves|shows|demonstrates)\b"
    r"|\b(?:mark|grade|score)\s+(?:this|me|my\s+answer)\b.{0,20}\b(?:as|with|at)\b|\b(?:score|grade|verdict)\s*[:=]\s*[\"']?(?:\d|full|perfect|correct|covered|a\+)"
    r"|만점|점수(?:를|는)?\s*(?:\S+\s+){0,3}(?:주세요|줘|부탁|달라|처리)|\d+\s*점(?:을|으로)?\s*(?:주|처리|부탁|채점)|정답(?:으로)?\s*처리|(?:지시|명령|규칙|기준|안내)\S*\s*(?:는|은|을|를|사항을?|모두|전부)?\s*무시"
    r"|(?:채점자|채점관|채점\s*모델|채점\s*시스템)(?:님|에게|는|은|이|께)|(?:이|제|위|학생의?)\s*답(?:변|안)?(?:은|는)\s*(?:\S+\s+){0,2}(?:완벽|정확|훌륭|정답|맞)"
    r"|점수\s*[:=]\s*\d",
    re.IGNORECASE,
)
