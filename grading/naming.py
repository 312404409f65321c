"""Names for sentences of a model answer that nobody named: what they are about, if the question says that too.

A student who missed a sentence reads its name. So only the topic in front is a name, and only if all of its words stand
in the question. Where a question offers alternatives ("bagging or boosting?", "true or false?"), even those words would
give its answer away: then nothing has a name.
"""

from __future__ import annotations

import re

TOPIC_JOINT = ", "
"""Stands between the topics of one name."""

_MOST_WORDS = 7
_MOST_TOPICS = 3
_LONGEST = 60

_READ = 300
"""Characters of a sentence: its topic stands in front."""

_ALTERNATIVES = re.compile(
    r"\bor\b(?! (?:two|three|four|more|less)\b)"
    r"|\b(?:which|whether|better|best|rather|prefer|true|false|yes|no|correct|choose|decide)\b"
    r"|^\W*(?:is|are|was|were|do|does|did|can|could|will|would|should|must|may|has|have)\b"
    r"|아니면|어느|둘 중|중에서|중 (?:어떤|무엇|더)|더 (?:좋|중요|적합|낫|나은|나을|알맞|맞)"
    r"|맞는|맞나|맞을|옳|참인|거짓|(?<!무엇)인가요, ",
    re.IGNORECASE,
)

# English: what stands before the verb, or before a colon.
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|can|could|will|would|should|must|may|might|do|does|means?|refers?|describes?"
    r"|uses?|adds?|takes?|gives?|makes?|helps?|allows?|shows?|measures?|computes?|splits?|learns?|combines?|reduces?"
    r"|keeps?|removes?|changes?|returns?|happens?|occurs?|works?|tells?|needs?|lets?|trains?|predicts?|updates?"
    r"|penali[sz]es?|chooses?|draws?|averages?|compares?|divides?|maps?|turns?|assumes?|finds?|minimi[sz]es?)\b"
)
_LABEL = re.compile(r"\s*([^:：.;()●•]{2,60})[:：]\s")
_ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
# fmt: off
_NO_TOPIC = frozenset(
    {
        "it", "its", "this", "that", "these", "those", "they", "them", "there", "here", "we", "you", "i", "he",
        "she", "one", "if", "when", "while", "because", "since", "as", "in", "for", "by", "so", "then", "thus",
        "hence", "both", "each", "such", "with", "without", "to", "from", "on", "at", "after", "before", "also",
        "but", "and", "or", "which", "what", "who", "yes", "no", "not", "none", "true", "false", "only", "every",
        "all", "any", "many", "some", "most", "example", "answer", "note", "how", "why", "where",
    }
)
# Words of a topic that need not stand in the question.
_SMALL = frozenset(
    {
        "the", "a", "an", "of", "and", "or", "in", "for", "to", "between", "its", "their", "both", "with",
    }
)

# Korean: what the particle of the topic marks, at the beginning of a clause.
_CLAUSE_END = re.compile(r"(?<=[,;])\s+|(?<=고)\s+|(?<=며)\s+|(?<=지만)\s+|(?<=면서)\s+")
_BEGINNINGS = frozenset(
    {
        "즉", "반면", "반면에", "그리고", "또", "또한", "하지만", "그러나", "따라서", "예를", "들어", "이때",
        "먼저", "마지막으로", "한편", "여기서",
    }
)
# fmt: on
_PARTICLE_ALONE = re.compile(r"^(?:에서는|에서|에는|으로는|로는|이란|란|은|는)$")
_TOPIC = re.compile(r"^(.{1,30}?)(?:에서는|에는|으로는|이란|란|은|는)$")
# What an adnominal verb follows: its object, subject or adverb.
_BEFORE_A_VERB = re.compile(r"(?:을|를|이|가|에|에서|로|으로|와|과|게|지|도|어|아|여|해)$")
_PRONOUN = re.compile(
    r"(?:^(?:이|그|저|이것|그것|이것들|이들|그들|둘|때|것|수|점|등)|하|되|시키|있|없|않|같|많|높|낮|좋)$"
)
# A noun that asks again for what the question asks for in other words.
_ASKED: dict[str, tuple[str, ...]] = {
    "이유": ("이유", "왜"),
    "목적": ("목적", "왜"),
    "방법": ("방법", "어떻게"),
    "차이점": ("차이", "다른"),
    "차이": ("차이", "다른"),
    "문제": ("문제",),
}
_HANGUL = re.compile("[가-힣]")


def topic_of(sentence: str, prompt: str) -> str:
    """What ``sentence`` is about, in words of the question ``prompt``; empty where that cannot be said so."""
    if _ALTERNATIVES.search(prompt):
        return ""
    front = sentence[:_READ]
    found = _korean_topics(front) if _HANGUL.search(front) else _english_topics(front)
    known = [name for topic in found if (name := _known(topic, prompt))]
    name = TOPIC_JOINT.join(list(dict.fromkeys(known))[:_MOST_TOPICS])
    return name if 2 <= len(name) <= _LONGEST else ""


def topic_words(topic: str) -> list[str]:
    """The words of a topic in small letters, without those that join; all of them if there are no others."""
    words = re.findall(r"\w+", topic.casefold())
    return [word for word in words if word not in _SMALL] or words


def is_said(text: str, word: str) -> bool:
    """Whether a text has a word; Hangul with whatever particle, other letters as a whole word or its plural."""
    said = text.casefold()
    if _HANGUL.search(word):
        return word in said
    return re.search(rf"(?<![a-z0-9]){re.escape(word.removesuffix('s'))}(?:e?s)?(?![a-z0-9])", said) is not None


def is_asked_noun(word: str) -> bool:
    """Whether a word of a topic asks again for what the question asks for: the reason, the method."""
    return word in _ASKED


def _english_topics(sentence: str) -> list[str]:
    label, verb = _LABEL.match(sentence), _VERB.search(sentence)
    front = label[1] if label else sentence[: verb.start()] if verb else ""
    topic = _ARTICLE.sub("", front.strip(" ,("))
    words = topic.split()
    is_topic = 0 < len(words) <= _MOST_WORDS and words[0].lower() not in _NO_TOPIC and not set(",;:.()") & set(topic)
    return [topic] if is_topic else []


def _korean_topics(sentence: str) -> list[str]:
    found: list[str] = []
    for clause in _CLAUSE_END.split(re.sub(r"\s*\([^()]*\)", " ", sentence)):
        words = clause.split()
        while words and words[0].rstrip(",") in _BEGINNINGS:
            words = words[1:]
        if topic := _marked(words):
            found.append(re.sub(r"^(?:그|이|이러한) |(?<=\S) (?=의 )", "", topic))
    return found


def _marked(words: list[str]) -> str:
    """The words up to the particle of the topic, without it."""
    for place, word in enumerate(words[: _MOST_WORDS + 1]):
        if place and _PARTICLE_ALONE.match(word):
            return " ".join(words[:place])
        marked = _TOPIC.match(word)
        if not marked or (place and _BEFORE_A_VERB.search(words[place - 1])):
            continue
        if _PRONOUN.search(marked[1]) and not (place and marked[1] == "때"):
            continue
        return " ".join([*words[:place], marked[1]])
    return ""


def _known(topic: str, prompt: str) -> str:
    """The topic where the question has every word of it, or its last word where the question asks for that."""
    words = re.findall(r"\w+", topic.casefold())
    if words and all(word in _SMALL or is_said(prompt, word) for word in words):
        return topic
    said = prompt.casefold()
    return words[-1] if words and any(word in said for word in _ASKED.get(words[-1], ())) else ""
