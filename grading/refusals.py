"""Answers that say no more than that the student does not know, in English and Korean.

It is the student who must not know: "data that it has never seen", "처음 보는 데이터", "the forget gate", "skip-gram"
are answers.
"""

from __future__ import annotations

import re

from grading.domain import Question
from grading.text import sentences, squeezed, terms, words


def is_dont_know(text: str, question: Question) -> bool:
    """Whether the whole answer says no more than that the student does not know; when in doubt it says more.

    True where every sentence says so, asks something, or holds nothing but the question's own words and small talk,
    and one at least says so: "I forgot the rest" after a real answer is no such case.
    """
    if _SHORT_PASS.fullmatch(text.strip()):
        return not _is_word_of_model_answer(text, question)
    parts = sentences(text)
    prompt_terms = set(terms(question.prompt))
    said = [part for part in parts if _says_so(part)]
    return bool(said) and not any(
        _says_more(part, prompt_terms) if part in said else _is_statement(part, prompt_terms) for part in parts
    )


def asks_openly(sentence: str, question: Question) -> bool:
    """Whether a sentence asks what, how or why something of the question is, and says nothing of its own.

    "Isn't it recall?" proposes an answer, and so does "How many of those found are right?".
    """
    match = _OPEN_QUESTION.search(sentence)
    if match is None:
        return False
    asked_for = set(terms(match["rest"] or match["rest_ko"] or ""))
    return asked_for <= {*terms(question.prompt), "그럼", "그러면", "그건", "그게", "근데"}


def _is_word_of_model_answer(text: str, question: Question) -> bool:
    """Whether a word for passing is what the model answer says: "x" for "The letter x.", "none" for "It has no …"."""
    said = set(words(text))
    own = " ".join((*question.model_answers, *(point.text for point in question.key_points)))
    if squeezed(text) in {squeezed(answer) for answer in question.model_answers} or said <= set(words(own)):
        return True
    return bool(_NONE.fullmatch(text.strip()) and _SAYS_NONE.search(own))


def _says_so(sentence: str) -> bool:
    if _REASON.match(sentence):
        return False
    match = _DONT_KNOW.search(sentence)
    return bool(match) and not (
        _OF_ANYBODY.fullmatch(match.group()) and _SOMETHING_ELSE.search(sentence, 0, match.start())
    )


def _says_more(sentence: str, prompt_terms: set[str]) -> bool:
    """Whether a sentence that admits not knowing also says something.

    What is not known may be named, and what the student did instead, in few words; a clause of its own that is not
    about the student may hold nothing new.
    """
    match = _DONT_KNOW.search(sentence)
    if not match:
        return False
    if _HANGUL.search(match.group()):
        rest = _DONT_KNOW.sub(" ", _WITH_ENDING.sub(" ", sentence))
        allowed = _MAX_KOREAN if _OF_ONESELF.search(sentence) and not _GUESS.search(sentence) else 0
        return len(_content(rest, prompt_terms)) > allowed
    before, after = sentence[: match.start()], sentence[match.end() :]
    broken = _BREAK.search(after)
    named, beyond = (after[: broken.start()], after[broken.start() :]) if broken else (after, "")
    told = [
        _DONT_KNOW.sub(" ", part)
        for part in (before, beyond)
        if not part.endswith("?") and not _OF_THE_STUDENT.search(part)
    ]
    rest = " ".join((before, named, _DONT_KNOW.sub(" ", beyond)))
    # "We" may be anybody ("we do not know the labels"), and so may one who is left out.
    named_at_most = _MAX_NAMED if _OF_ME.search(sentence) else 0
    return any(_content(part, prompt_terms) for part in told) or (
        len(_content(rest, prompt_terms)) > _MAX_NAMED or len(_content(named, prompt_terms)) > named_at_most
    )


def _is_statement(part: str, prompt_terms: set[str]) -> bool:
    """Whether a sentence asserts something: anything new, or much in the question's own words."""
    new = len(_content(part, prompt_terms))
    if part.endswith(("?", "？")) or _OF_THE_STUDENT.search(part):
        return new > (_MAX_NAMED + 1 if _HANGUL.search(part) else _MAX_NAMED)
    return new > 0 or len(_content(part, set())) >= 4


def _content(text: str, prompt_terms: set[str]) -> list[str]:
    return [word for word in words(_SMALL_TALK.sub(" ", text)) if _is_content(word, prompt_terms)]


def _is_content(word: str, prompt_terms: set[str]) -> bool:
    own = set(terms(word))
    return bool(own) and not own & prompt_terms and not own & _TALK_TERMS


_MAX_NAMED, _MAX_KOREAN = 3, 6
_OPEN_QUESTION = re.compile(
    r"^\W*(?:(?:and|but|so|then)\s+)?(?:what|how|why)(?:['’]s)?\b(?P<rest>[^.:,;()]*)[?？]\W*$"
    r"|^(?P<rest_ko>[^.:,;()]*?)(?:뭐|뭘|무엇|무슨|어떻게|왜)(?![가-힣]*냐면)[^.:,;()]{0,12}(?<!아닌가요)(?<!아닌가)[?？]\W*$",
    re.IGNORECASE,
)
_OF_ONESELF = re.compile(r"(?:요|용|염|여|니다|네|죄송\S*|겠\S*|[ㄱ-ㅎㅏ-ㅣ]+|…)[\W\dㄱ-ㅎㅏ-ㅣ]*$")
_GUESS = re.compile(r"같은데|같지만|같긴|듯|아마|때문")
_OF_ME = re.compile(
    r"\b(?:i|i['’]?m|my)\b|\bi['’]|\b(?:idk|dunno|sorry|clue|idea)\b(?!\s+about)|\b(?:class|lecture|course|covered|skipped|heard)\b",
    re.IGNORECASE,
)
_OF_THE_STUDENT = re.compile(
    r"\b(?:i|we|my|me|something|sounds|only\s+did|still)\b|\bi['’]|봤|했어|했습|[보올풀]게|네요|주시|죄송"
    r"|헷갈|다시|안 떠올라",
    re.IGNORECASE,
)
_HANGUL = re.compile("[가-힣ㄱ-ㅎ]")
_BREAK = re.compile(
    r"[,;:(…–—]|\.\.|\s-\s|\b(?:but|because|since|as|so|maybe|perhaps|though|however|just|only)\b", re.IGNORECASE
)
_REASON = re.compile(r"\W*(?:because|since|as|due\s+to|cause|bc)\b", re.IGNORECASE)
_NONE = re.compile(r"[\W_]*(?:none|nothing|없음|없어요|없습니다)[\W_]*", re.IGNORECASE)
_SAYS_NONE = re.compile(r"\b(?:no|none|nothing|zero|0|without|never)\b|없", re.IGNORECASE)
_ADVERBS = (
    r"(?:(?:really|honestly|just|still|also|actually|sadly|simply|totally|absolutely|literally|even|quite|sorry)\s+)*"
)
# Somebody who speaks of himself, or leaves himself out at the beginning.
_I = (
    r"(?:^|(?<=[.,;:!?(\n…–—-])\s*|\b(?:i|we)\s+|\b(?:but|sorry|honestly|because|hmm+|um+|uh+|well|tbh|and|so)\s+)"
    rf"(?:i\s+|we\s+)?{_ADVERBS}"
)
_NOT = r"(?:do\s*n[o']?t|don’t|dont|do\s+not|did\s*n[o']?t|didn’t|didnt|did\s+not)"
_DONT_KNOW = re.compile(
    rf"{_I}{_NOT}\s+{_ADVERBS}(?:know|remember|recall|understand|have\s+(?:a\s+clue|an?y?\s*(?:idea|answer|clue)|the\s+answer)(?!\s+(?:keys?|sheets?|labels?)\b)"
    r"|get\s+(?:it|this|any)|think\s+i\s+(?:know|can)|study|learn)"
    rf"|{_I}(?:can\s*not|can['’]?t|couldn['’]?t|could\s+not|am\s+unable\s+to|am\s+not\s+able\s+to)\s+{_ADVERBS}(?:\w+\s+)?"
    r"(?:remember|recall|answer|explain|say|tell|describe|think\s+of|solve|help)"
    rf"|{_I}(?:have\s*n[o']?t|haven['’]?t|havent|have\s+not|have\s+never|(?:i|we)['’]ve\s+never|never)\s+(?:\w+\s+)?"
    r"(?:heard|learned|learnt|studied|read|got|had|covered|done|reached|understood|attended)\b"
    r"|\b(?:i|we)(?:\s+have|['’]ve)?\s*(?:n['’]?t|not|never)\s+(?:\w+\s+)?seen\b|\b(?:havent|haven['’]t)\s+seen\b"
    rf"|{_I}(?:have\s+|had\s+|got\s+|with\s+)?(?:absolutely\s+)?(?:no|not\s+an?|zero)\s+(?:\w+\s+)?(?:idea|clue|answer|memory|recollection|knowledge)\b(?!\s+(?:keys?|sheets?|labels?)\b)"
    r"|(?:^|(?<=[.,;:!?(…–—-])\s*|\b(?:i|i['’]?m|am|honestly|still|really|but)\s+)not\s+(?:really\s+|quite\s+|at\s+all\s+)?(?:sure|certain)\b"
    r"|\bdunno\b|\bidk\b|\bdon['’]?t\s+no\b|\bno\s+(?:idea|clue)\b(?=\W*$|\s+(?:sorry|about|what|how|why|at\s+all))|\bno\s+answer\s+from\b"
    r"|\bi\s+(?:have\s+|['’]ve\s+|always\s+|completely\s+|totally\s+|just\s+)*(?:forgot(?:ten)?|forget|skipped|missed|blanked|mix\s+up|mix|give\s+up|gave\s+up)\b(?!\s+gates?\b)"
    r"|^\W*(?:totally\s+|sorry,?\s+)?forgot\b(?!\s+gates?\b)"
    r"|\bi(?:['’]ll| will|['’]d\s+rather)?\s+(?:skip|pass)\b(?=\W*$|\s+(?:on|this|that|it|the\s+question)\b|\s*[.,;!])"
    r"|\bskip\s+(?:this|it)\b"
    r"|\bi(?:\s+am|['’]?m)\s+(?:completely\s+|totally\s+)?(?:lost|stuck|clueless|blank|unsure)\b|\bbeats\s+me\b|\bclueless\b|\bwho\s+knows\b|\bsearch\s+me\b"
    r"|\b(?:mind|head)\s+(?:is|went)\s+(?:\w+\s+)?(?:blank|empty)|\bdraw(?:ing)?\s+a\s+blank|\bnever\s+heard\s+of\b"
    r"|\bwould\s+have\s+to\s+(?:guess|look)|\bran\s+out\s+of\s+time|\b(?:leave|leaving|left)\s+(?:it|this)\s+(?:empty|blank)"
    r"|\bonly\s+(?:know|remember)\s+that\b|(?:^|[,.;:!?…]\s*)(?:skip|pass)\b(?=\W*$)|\bwe\s+skipped|\bno\s+time\s+(?:left|to)\b"
    r"|모르(?:겠|겟|것\s*습|네요|는데요|겄|갯)|몰(?:겠|겟|루)|모릅니다|모른다|모름(?=[\W\dㄱ-ㅎㅏ-ㅣ]|$)|몰라(?:요|용|여|염|서요)?(?=[\W\dㄱ-ㅎㅏ-ㅣ]|$)|몰랐(?:어|습|네)"
    r"|모르는\s*(?:문제|내용|용어|부분|개념|단어|말|질문)"
    r"|(?:기억|생각)(?:이|은|도)?\s*(?:(?:잘|하나도|전혀|도저히|아예)\s*)?(?:안\s*(?:[나납난]|남(?!는|아|[음았]))|나지\s*않|나질\s*않|가물)|기억\s*(?:을\s*)?못\s*하겠|기억이?\s*없(?:어요|습니다|음|네)"
    r"|까먹(?:었|어서|음|고\s*말|은\s*것)|잊어\s*(?:버렸(?:어|습|네|음)|먹었)|잊었(?:어|습|네)"
    r"|못\s*(?:하겠|쓰겠|풀겠|적겠|외웠|외워|나갔|배웠|들었)|공부를?\s*(?:하나도\s*)?(?:(?:안|못)\s*[했해함하]|다시)|답을?\s*못"
    r"|안\s*(?:배웠|배운|배워|들었|해\s*봐)|배우지\s*(?:못|않)|(?:배운|들어\s*본|들어본)\s*적(?:이|은|도)?\s*(?:한\s*번도\s*)?없"
    r"|처음\s*(?:들어|듣는|듣네|들었|봐요|봅니다|봤|보네)|처음\s*보는\s*(?:용어|문제|개념|내용|말|단어|거|것|이름|질문)"
    r"|패스(?:할게|하겠|합니다|요|함|임)|(?:^|[,.…!~]\s*)(?:패스|스킵)(?=\W*$)|스킵(?:할게|하겠|합니다|요)|노\s*코멘트"
    r"|헷갈(?:려(?:요|서)?|립니다|리네)(?=\W|$)|안\s*떠올라|떠오르(?:지|질)\s*않|다시\s*(?:봐야|풀|공부)"
    r"|자신이?\s*없|감이?\s*(?:안\s*(?:와|옴|잡)|오지)|(?:^|그냥\s*|이건\s*|저는\s*)포기|시간이?\s*(?:없어서|부족해서|모자라)|이해를?\s*못\s*(?:했|하겠)|이해가\s*안\s*(?:가|돼|됩|되)",
    re.IGNORECASE,
)  # fmt: skip
_WITH_ENDING = re.compile(rf"(?:{_DONT_KNOW.pattern})[가-힣]*", re.IGNORECASE)
_OF_ANYBODY = re.compile(
    r"모른다|모릅니다|모름|몰라(?:요|서요|용|여|염)?|자신이?\s*없|감이?\s*안\s*옴|기억이?\s*(?:안\s*[난남]|없음)"
)
"""Said of oneself or of a thing; the others are said of oneself alone."""
_SOMETHING_ELSE = re.compile(
    r"(?:모델|모형|신경망|네트워크|알고리즘|기계|컴퓨터|분류기|에이전트|인코더|디코더|트리|나무|RNN|LSTM|GPT|BERT|LLM)(?:들)?(?:이|은|는|가|도)\s",
    re.IGNORECASE,
)
_SHORT_PASS = re.compile(
    r"(?:[\W_]*(?:skip|pass|n/?a|none|nothing|no\s+answer|no\s+comment|idk|empty|blank|null|tbd|todo|(?<![a-z])x(?![a-z])|패스|스킵|없음|없어요|없습니다|무응답|미응답"
    r"|빈칸|공란|해당\s*없음|노\s*코멘트|ㅁㄹ|ㄴㄴ|답\s*없음))+[\W_]*",
    re.IGNORECASE,
)
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
