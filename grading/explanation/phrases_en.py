"""English wordings of a feedback object; every tuple holds sentences of equal meaning."""

from __future__ import annotations

from collections.abc import Sequence

from grading.domain import Flag, Verdict
from grading.explanation.feedback import Band, Step

COMPLETE = (
    "Very good, everything that was asked for is there.",
    "Excellent, this is a complete answer.",
    "Nicely done, nothing is missing.",
)
COMPLETE_BY_TOPIC = (
    "Very good, you cover what was asked for.",
    "Good work, your answer covers what was asked.",
)
OPENING: dict[Band, tuple[str, ...]] = {
    Band.FULL: ("Very good answer.", "Really good work.", "Strong answer."),
    Band.MOST: ("Good answer, most of it is there.", "Good work, you are nearly there.", "You have most of it."),
    Band.HALF: ("Good start, part of the answer is there.", "You are on the way.", "A fair part of this is there."),
    Band.LITTLE: ("This is a first step.", "You have made a start.", "There is something to build on here."),
    Band.NONE: ("This is not there yet, but it is worth another try.", "Not there yet, so let us take it in parts."),
}
# Of a question without key points less is known than the score says.
OPENING_BY_TOPIC: dict[Band, tuple[str, ...]] = {
    Band.MOST: ("Good work so far.", "You are on the right track."),
    Band.HALF: ("Good start.", "Part of an answer is there."),
}
OPENING_UNSURE = ("It is worth working on this a little more.", "Let us take another look at this.")
WELL_PUT = (" “{quote}” is well put.", " I like how you say “{quote}”.", " “{quote}” gets to the point.")
TOLD: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "You are right about {names}.",
        "Well explained: {names}.",
        "Right so far: {names}.",
    ),
    Verdict.CONTRADICTED: (
        "Something is mixed up here: {names}.",
        "Please look again at this: {names}.",
    ),
    Verdict.PARTIAL: (
        "A little vague so far: {names}.",
        "You only touch on this: {names}.",
    ),
    Verdict.MISSING: (
        "Still missing: {names}.",
        "What your answer leaves out: {names}.",
        "Not in your answer yet: {names}.",
    ),
}
TOLD_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "You are right about {names}: “{quote}”.",
        "Your words “{quote}” show that you understand {names}.",
        "Right so far: {names}. “{quote}” is well put.",
    ),
    Verdict.CONTRADICTED: (
        "Something is mixed up here: {names} (you write “{quote}”).",
        "Please look again at this: {names}. You write “{quote}”, and that does not fit.",
    ),
}
# Of topics: true too where the answer speaks of them and lacks what there is to say.
TOPIC: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: ("It is good that you write about {names}.", "Your answer says something about {names}."),
    Verdict.CONTRADICTED: ("Please check this once more: {names}.",),
    Verdict.PARTIAL: ("More is needed on this: {names}.", "There is more to say on this: {names}."),
}
TOPIC_ASKED = ("See whether there is more to say on this: {names}.", "See if you can say more on this: {names}.")
UNNAMED_ASKED = (
    "See whether there is something to add.",
    "Read the question once more: is there something you would add?",
)
TOPIC_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: (
        "It is good that you write about {names}: “{quote}”.",
        "Your answer says something about {names}: “{quote}”.",
    ),
    Verdict.CONTRADICTED: ("Please check once more whether this is right: “{quote}” ({names}).",),
}
# Of points without a name: what the answer has of them, without saying which they are.
REST = "another part of the question"
UNNAMED: dict[Verdict, tuple[str, ...]] = {
    Verdict.CONTRADICTED: ("Please check once more whether all of it is right.",),
    Verdict.PARTIAL: ("There is more to say than this.", "It could say more, or say it more exactly."),
    Verdict.MISSING: ("A part of the question is still to be answered.",),
}
UNNAMED_QUOTED: dict[Verdict, tuple[str, ...]] = {
    Verdict.COVERED: ("“{quote}” is a useful point.", "It is good that you say “{quote}”."),
    Verdict.CONTRADICTED: ("Please check once more whether this is right: “{quote}”.",),
}
NEXT: dict[Step, tuple[str, ...]] = {
    Step.FIX: (
        "Look it up once more, then write that part again in your own words.",
        "Compare this with your notes and put it right first.",
    ),
    Step.ADD: (
        "Try to add it in one sentence of your own.",
        "Write one sentence about it and your answer gets better.",
    ),
    Step.SHARPEN: (
        "Put that part more precisely.",
        "One more exact sentence on it would help.",
    ),
    Step.EXTEND: (
        "If you like, add a small example of your own.",
        "As a next step, try to explain it to somebody with an example.",
        "Keep it up.",
    ),
}
# Where what is lacking has no name.
NEXT_UNNAMED: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("Compare what you wrote with your notes first.",),
    Step.ADD: (
        "Read the question once more and add a sentence on what you have not answered yet.",
        "Look at the question again: what else does it ask for?",
    ),
    Step.SHARPEN: (
        "Read your answer once more and rewrite its vaguest sentence.",
        "One more exact sentence would help.",
    ),
}
NEXT_FOCUS: dict[Step, tuple[str, ...]] = {
    Step.FIX: ("Begin with this part: {focus}.", "First put this right: {focus}."),
    Step.ADD: ("Begin with this part: {focus}.", "Write a sentence on this first: {focus}."),
    Step.SHARPEN: ("Be more exact on this part first: {focus}.",),
    Step.EXTEND: ("Go one step further with this: {focus}.",),
}
GATE: dict[Flag, tuple[str, ...]] = {
    Flag.NEEDS_PERSON: (
        "It sounds as if you are going through something hard, and that matters more than this quiz. You do not have to"
        " carry it alone: please talk today to a person whom you trust, somebody in your family, a friend, a doctor or"
        " the counselling service of your school. You can also ask your instructor, who can see here that a person is"
        " needed. If you are in danger right now, please call for help where you are. None of this changes your score.",
    ),
    Flag.BLANK: (
        "There is no answer here yet. A few of your own words are enough to start with.",
        "This answer is empty. Write down whatever you know, even half a sentence counts.",
    ),
    Flag.DONT_KNOW: (
        "Thank you for saying so honestly, nobody knows everything at first.",
        "That is fine, and good to know. Every topic is new once.",
    ),
    Flag.GIBBERISH: (
        "I could not find words here that I understand. Please write your answer in whole sentences.",
        "This does not read like an answer yet. Please try again with a few plain sentences.",
    ),
    Flag.QUESTION_COPIED: (
        "This mostly repeats the question. Now answer it in your own words.",
        "You have written the question down again. What would you say if a friend asked you that?",
    ),
    Flag.MODEL_ANSWER_PASTED: (
        "This reads word for word like a text from elsewhere. Say it in your own words, then it shows what you know.",
        "These words look copied. Please explain the same thing the way you would tell a friend.",
    ),
    Flag.INSTRUCTION: (
        "Part of this is addressed to the grader. Only what you say about the question counts, so please answer that.",
        "This contains words to the grader instead of an answer. Please write only about the question.",
    ),
    Flag.OFF_TOPIC: (
        "I cannot find an answer to this question here yet. Read the question once more and try again.",
        "This does not answer the question yet. Please have another look at what it asks.",
    ),
}
CONTACT = " You can also turn to: {contact}"
GATE_STEP = (" A good place to begin: {focus}.", " You could start with this: {focus}.")


def joined(names: Sequence[str]) -> str:
    """Names as a list inside a sentence, cut by what the names themselves do not hold."""
    if len(names) == 1:
        return names[0]
    cut = ";" if any("," in name for name in names) else ","
    last = " and " if cut == "," and not any(" and " in name for name in names) else f"{cut} and "
    return f"{f'{cut} '.join(names[:-1])}{last}{names[-1]}"
