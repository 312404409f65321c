"""Write replies that a language model shall learn: true to the notes, freer than the template, in many forms.

A reply is the tutor's own text where the notes support all of it, else those of the tutor's sentences that they
support with composed ones that name what is missing, else composed. Every reply is checked before it is used, like the
model's own texts later. Korean is composed of the template's wordings, in all their combinations.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from grading.domain import Question, Verdict
from grading.explanation import phrases_ko
from grading.explanation.checks import problems_in
from grading.explanation.cues import TUTOR_STEMS
from grading.explanation.feedback import Band, Feedback, Language, Point, Step, shown_quote
from grading.explanation.phrases_en import joined
from grading.explanation.prompt import notes, told_focus, told_names
from grading.explanation.template import template_text
from grading.explanation.words import content_stems, plain, sentences
from grading.keypoints import key_points_of


def replies(
    feedback: Feedback, question: Question, answer: str, tutor_text: str, *, count: int, rng: random.Random
) -> list[str]:
    """Up to ``count`` different replies to one feedback that pass every check, the tutor's first."""
    own = learnable_reply(feedback, question, answer, tutor_text, rng)
    found = [own] if own else []
    for _ in range(count * 3):
        if len(found) >= count:
            break
        text = composed_reply(feedback, rng)
        if text not in found and not problems_in(text, feedback, question, answer):
            found.append(text)
    return found


def learnable_reply(
    feedback: Feedback, question: Question, answer: str, tutor_text: str, rng: random.Random
) -> str | None:
    """What of a tutor's text can be learnt, whole or in part: it passes every check. ``None`` where nothing does."""
    for text in (_whole_text(feedback, tutor_text), tutor_reply(feedback, tutor_text, rng)):
        if text and not problems_in(text, feedback, question, answer):
            return text
    return None


def may_be_learnable(question: Question, answer: str, tutor_text: str) -> bool:
    """Whether notes on this answer could support any sentence of the tutor's, whatever a grader makes of it.

    Quick, and True rather too often: it spares asking a grader about most of what would be refused.
    """
    if len(finished_text(tutor_text)) < _LEAST_STATEMENT["ko" if question.language == "ko" else "en"]:
        return False
    told = [point.name for point in key_points_of(question)]
    known = {stem for text in (*told, answer, _NOTES_WORDS) for stem in content_stems(text)} | TUTOR_STEMS
    return any(set(content_stems(each)) <= known for each in sentences(tutor_text))


def tutor_reply(feedback: Feedback, tutor_text: str, rng: random.Random) -> str | None:
    """The tutor's statements that a reader of the notes alone could have made, then what they leave unnamed.

    Questions of a tutor point at the content of what is missing, which the notes do not hold: they are left out.
    """
    known = _known(feedback)
    kept = [each for each in sentences(tutor_text) if "?" not in each and set(content_stems(each)) <= known]
    if not kept or len(kept[0]) < _LEAST_STATEMENT[feedback.language]:
        return None
    return " ".join([*map(finished_text, kept[:2]), *_lacking_sentences(feedback, rng), _step(feedback, rng)])


def finished_text(text: str) -> str:
    """``text`` in one line, with the full stop that tutors leave out."""
    line = plain(text)
    return line if line[-1:] in _SENTENCE_ENDS else f"{line}."


def _whole_text(feedback: Feedback, tutor_text: str) -> str | None:
    """The tutor's text in one line, where a reader of the notes alone could have written all of it."""
    text = finished_text(tutor_text)
    is_told = len(text) >= _LEAST_STATEMENT[feedback.language] and set(content_stems(text)) <= _known(feedback)
    return text if is_told else None


def _known(feedback: Feedback) -> set[str]:
    return set(content_stems(notes(feedback))) | TUTOR_STEMS


def composed_reply(feedback: Feedback, rng: random.Random) -> str:
    """Two to four sentences from the notes: what is good, what is mixed up, vague or missing, the next step."""
    if feedback.language == "ko":
        return template_text(replace(feedback, variant=rng.getrandbits(32)))
    parts = [_good(feedback, rng), *_lacking_sentences(feedback, rng)]
    step = _step(feedback, rng)
    return " ".join(part for part in (*parts, step) if part)


def _good(feedback: Feedback, rng: random.Random) -> str:
    opener = rng.choice(_OPENERS[feedback.band])
    if not feedback.covered:
        return opener if feedback.band is Band.NONE or rng.random() < 0.6 else ""
    quote = shown_quote(feedback.covered)
    if feedback.is_complete and feedback.band in {Band.FULL, Band.MOST}:
        praise = rng.choice(_COMPLETE_QUOTED).format(quote=quote) if quote else rng.choice(_COMPLETE)
        return praise
    names = joined([point.name for point in feedback.covered])
    forms = _GOOD_QUOTED if quote and rng.random() < 0.85 else _GOOD
    praise = rng.choice(forms).format(quote=quote, names=names)
    return f"{opener} {praise}" if rng.random() < 0.5 else praise


def _lacking_sentences(feedback: Feedback, rng: random.Random) -> list[str]:
    if feedback.language == "ko":
        return _lacking_sentences_ko(feedback, rng)
    told: list[str] = []
    if mixed_up := told_names(feedback, Verdict.CONTRADICTED):
        quote = shown_quote(feedback.contradicted)
        forms = _MIXED_QUOTED if quote and rng.random() < 0.5 else _MIXED
        told.append(_told(forms, mixed_up, rng, quote))
    if vague := told_names(feedback, Verdict.PARTIAL):
        told.append(_told(_VAGUE, vague, rng))
    if missing := told_names(feedback, Verdict.MISSING):
        told.append(_told(_MISSING, missing, rng))
    return told


def _told(forms: Sequence[str], names: Sequence[str], rng: random.Random, quote: str | None = None) -> str:
    return rng.choice(forms).format(names=joined(names), quote=quote)


def _step(feedback: Feedback, rng: random.Random) -> str:
    if feedback.language == "ko":
        return _step_ko(feedback, rng)
    if feedback.step is Step.EXTEND:
        return rng.choice(_EXTEND)
    if told_names(feedback, feedback.told_last) == [told_focus(feedback)]:
        return rng.choice(_STEP_IT[feedback.step])
    return rng.choice(_STEP[feedback.step]).format(focus=told_focus(feedback))


def _lacking_sentences_ko(feedback: Feedback, rng: random.Random) -> list[str]:
    return [
        rng.choice(phrases_ko.TOLD[verdict]).format(**phrases_ko.forms(names))
        for verdict in (Verdict.CONTRADICTED, Verdict.PARTIAL, Verdict.MISSING)
        if (names := told_names(feedback, verdict))
    ]


def _step_ko(feedback: Feedback, rng: random.Random) -> str:
    if (focus := told_focus(feedback)) is None:
        return rng.choice(phrases_ko.NEXT[feedback.step])
    return rng.choice(phrases_ko.NEXT_FOCUS[feedback.step]).format(focus=focus)


#: Shorter statements ("Excellent.", "정확해요.") teach nothing that composed replies do not. A syllable of Hangul says
#: about two letters.
_LEAST_STATEMENT: dict[Language, int] = {"en": 25, "ko": 12}
_ANY_POINT = (Point(position=0, name="part", quote="part"),)
_NOTES_WORDS = " ".join(
    notes(
        Feedback(
            language="en",
            band=band,
            step=step,
            covered=_ANY_POINT,
            contradicted=_ANY_POINT,
            partial=_ANY_POINT,
            missing=_ANY_POINT,
        )
    )
    for band in Band
    for step in Step
)
_SENTENCE_ENDS = '.!?。…”"'

_OPENERS: dict[Band, tuple[str, ...]] = {
    Band.FULL: ("Very good.", "Lovely work.", "Strong answer."),
    Band.MOST: ("Good work.", "Nice answer, nearly there.", "You have most of it."),
    Band.HALF: ("Good start.", "Nice start.", "You are on the right path."),
    Band.LITTLE: ("This is a first step.", "A start is made.", "Here is something to build on."),
    Band.NONE: ("Not there yet, but try again.", "Thanks for trying.", "Let us sort this out together."),
}
_COMPLETE = ("Everything is there, nicely explained.", "Complete and clear, well done.")
_COMPLETE_QUOTED = (
    "Everything is there, and “{quote}” says it well.",
    "Complete and clear. “{quote}” is spot on.",
    "Well done, this is complete. I like “{quote}”.",
    "“{quote}” is exactly right, and nothing is missing.",
)
_GOOD = (
    "You are right about {names}.",
    "Well explained: {names}.",
    "You explain {names} well.",
    "Good on {names}.",
)
_GOOD_QUOTED = (
    "“{quote}” is exactly right for {names}.",
    "With “{quote}” you are right about {names}.",
    "Right so far: {names}. “{quote}” is well put.",
    "I like “{quote}”, that is right for {names}.",
    "You write “{quote}”, and that is right for {names}.",
)
_MIXED = (
    "Look again at {names}, something is mixed up there.",
    "There is a mix-up, so look again at {names}.",
    "Something is wrong here: {names}.",
)
_MIXED_QUOTED = (
    "You write “{quote}”, but look again at {names}.",
    "“{quote}” does not fit, so look again at {names}.",
    "Something is mixed up in “{quote}”, look again at {names}.",
)
_VAGUE = ("You only touch on {names}.", "Be more exact on {names}.", "A little vague: {names}.")
_MISSING = (
    "Still missing: {names}.",
    "What about {names}?",
    "Now add {names}.",
    "What is still open: {names}.",
    "Your answer leaves out {names}.",
)
_STEP: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("First look again at {focus}.", "Begin with {focus} and put it right."),
    Step.ADD: ("Begin with {focus}.", "Start with a sentence on {focus}.", "Next, write about {focus}."),
    Step.SHARPEN: ("Next, be more exact on {focus}.", "Start with {focus} and say it more exactly."),
}
_STEP_IT: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("Check your notes and put it right.", "Read it up once more and try again."),
    Step.ADD: ("One sentence in your own words is enough.", "Try it in one sentence.", "Can you add that?"),
    Step.SHARPEN: ("Say it more exactly.", "One more sentence would make it clear."),
}
_EXTEND = ("If you like, add an example of your own.", "Next, try an example of your own.", "Keep it up.")
