"""Words by which somebody says that they are not well: self-harm, no wish to live, violence at home, a cry for help.

Whoever writes such a thing into a quiz needs a person, not a score: the answer is flagged, scored as ever, and gets a
fixed text (see :mod:`grading.explanation.template`). Students of machine learning honestly write of dead neurons,
killed processes and agents that end an episode, so every pattern needs somebody who speaks of themselves or of somebody
they know. In doubt it is said: a flag too many costs an instructor a look.
``tests/unit/test_grading_distress.py`` has what must be found and what must not.
"""

from __future__ import annotations

import re

from grading.lookalikes import folded

_MOST_CHARACTERS = 20_000
"""What comes later in a text is not read; no pattern then takes more than some milliseconds."""


def needs_person(text: str) -> bool:
    """Whether the writer of an answer, or somebody they know, may be in danger."""
    plain = folded(text[:_MOST_CHARACTERS]).replace("’", "'").replace("‘", "'").lower()
    return any(_says_so(sentence) for sentence in _SENTENCE_END.split(plain))


def _says_so(sentence: str) -> bool:
    """Of what a sentence quotes as an example of data nothing counts."""
    told = _QUOTED.sub(" ", sentence) if _ABOUT_DATA.search(sentence) else sentence
    if any(pattern.search(told) for pattern in (_SELF_HARM, _OF_OTHERS, _OTHER_LANGUAGES)):
        return True
    if _SELF_HARM_KO.search(told) and not _OF_MODELS_KO.search(told):
        return True
    return bool(_TOPIC.search(told) and _OF_MYSELF.search(told) and not _ABOUT_DATA.search(told))


_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_QUOTED = re.compile(r"\"[^\"\n]{2,200}\"|“[^”\n]{2,200}”|(?<!\w)'[^'\n]{2,200}'(?!\w)|「[^」\n]{2,200}」")
_ABOUT_DATA = re.compile(
    r"\b(?:data|datasets?|corpus|classif\w+|labels?|labell?ed|tweets?|posts?|sentences?|tokens?|sentiment"
    r"|detect\w*|predict\w*"
    r"|models?|examples?|features?|prevention|prompts?|words?|class|classes)\b"
    r"|데이터|분류|탐지|감지|예측|모델|게시글|게시물|트윗|레이블|라벨|문장|말뭉치|단어|클래스|예방|토큰"
)
# Somebody who speaks of what they want, and what they want follows at once: "I want units to die" is none.
_I_WANT = (
    r"\b(?:i|i'm|im|i've|ive|i'd|i'll|imma|ima)\b(?:\s+[\w']+){0,4}?\s+"
    r"(?:(?:want|wanted|wish|going|ready|about|planning|plan|decided|hope|hoping|deserve|need|trying|tried"
    r"|have)\s+to|wanna|gonna"
    r"|(?:thinking|think|thought|thoughts)\s+(?:of|about)|feel(?:ing)?\s+like|rather|should(?:\s+just)?"
    r"|wish\s+i\s+(?:could|would))\s+(?:just\s+)?"
)
_SELF_HARM = re.compile(
    # Nobody does these but to themselves.
    r"\b(?:kill(?:ing|ed)?|hurt(?:ing)?|harm(?:ing|ed)?|cut(?:ting)?|hang(?:ing)?|shoot(?:ing)?|drown(?:ing)?"
    r"|starv(?:e|ing)|stab(?:bing)?"
    r"|poison(?:ing)?|unaliv(?:e|ing)|off(?:ing)?)\s+my\s?self\b(?!\s+(?:a|an|the|some)\b)"
    r"|\b(?:end(?:ing)?|tak(?:e|ing)|took|finish(?:ing)?)\s+my\s+(?:own\s+)?life\b"
    r"|\bcommit(?:ting)?\s+suicide\s+(?:myself|tonight|today|soon)\b"
    r"|\b(?:slit|cut|slash)(?:ting|ing)?\s+my\s+(?:own\s+)?(?:wrists?|arms?|veins?|throat)\b"
    rf"|{_I_WANT}(?:die|dying|be\s+dead|commit(?:ting)?\s+suicide|end(?:ing)?\s+it\s+all|not\s+(?:be|exist"
    rf"|wake\s+up|live)"
    r"|disappear(?:ing)?\s+(?:forever|for\s+good)|self[- ]?harm(?:ing|ed)?|jump(?:ing)?\s+off\s+(?:a"
    r"|the)\s+(?:bridge|roof|building|balcony))\b"
    r"(?!\s+(?:of\s+(?:laugh|embarrass|boredom|curiosity|thirst|hunger)\w*|laughing|hard|out|off|down|to\s+know"
    r"|inside\s+the|if|when|in\s+(?:this|that|the)\s+(?:exam|game|quiz|level)))"
    r"|(?:^|[,;:.]\s*|\band\s+|\bjust\s+|\bmakes?\s+me\s+|\bmaking\s+me\s+)(?:want|wanna"
    r"|wanting)\s+(?:to\s+)?(?:die|be\s+dead|kill\s+my\s?self|end\s+it\s+all)\b"
    r"|\bi\s+(?:do\s*n['o]?t|dont|do\s+not|no\s+longer)\s+(?:want\s+to|wanna)\s+(?:live(?!\s+with)|be\s+alive|exist"
    r"|wake\s+up|go\s+on\s+living|be\s+here\s+any)"
    r"|\bi\s+(?:ca\s*n['o]?t|cant|cannot|can\s+not|could\s*n't)\s+(?:take|stand|bear|go\s+on|live|cope"
    r"|do\s+life)(?:\s+(?:it|this|with\s+(?:it|life)|like\s+this|my\s+life))?"
    r"\s+(?:any\s?more|any\s+longer)\b"
    r"|\bi\s+(?:really\s+|just\s+)?wish\s+(?:that\s+)?i\s+(?:was|were|had)\s+(?:dead|never\s+(?:been\s+)?born"
    r"|not\s+(?:been\s+)?born|gone)\b"
    r"|\bi(?:'m|\s+am|'ve\s+been|\s+have\s+been|\s+feel|\s+was)\s+(?:\w+\s+){0,2}(?:suicidal|worthless"
    r"|hopeless\s+and)\b"
    r"|\bi\s+(?:have|had|keep\s+having|get)\s+(?:\w+\s+){0,2}(?:suicidal|suicide)\s+(?:thoughts?|ideas?|plans?"
    r"|ideation)\b"
    r"|\bi\s+(?:really\s+|just\s+|so\s+|fucking\s+)*hate\s+(?:my\s?self|my\s+life|being\s+alive)\b"
    r"|\b(?:no|any)\s+(?:reason|point)\s+(?:for\s+me\s+)?(?:to\s+(?:live|be\s+alive|go\s+on\s+living)"
    r"|in\s+(?:living|being\s+alive))\b|\bnothing\s+to\s+live\s+for\b"
    r"|\b(?:my\s+)?life\s+(?:is\s*n['o]?t|isnt|is\s+not|is\s+no\s+longer)\s+worth\s+living\b"
    r"|\btired\s+of\s+(?:living|being\s+alive|my\s+life|life)\b"
    r"|\bbetter\s+off\s+(?:without\s+me|(?:if\s+i\s+(?:was|were|am)\s+)?dead)\b"
    r"|\b(?:nobody|no\s?one)\s+(?:would|will)\s+(?:\w+\s+)?(?:miss|notice|care)\b.{0,30}\b(?:me|i)\b"
    r"|\b(?:goodbye|farewell)\s+(?:everyone|everybody|forever|cruel\s+world)\b|\b(?:these|this)\s+(?:are"
    r"|is)\s+my\s+(?:last\s+(?:words?|message|day|answer\s+ever)|goodbye|suicide\s+note)\b"
    r"|\b(?:i|i'll|i've|i'm)\b(?:\s+\w+){0,3}\s+(?:took|take|taken|taking|swallow(?:ed|ing)?|overdos(?:e|ed"
    r"|ing))\s+(?:\w+\s+){0,4}(?:pills|tablets|sleeping)\b"
    # Violence, and a cry for help.
    r"|\b(?:my|our)\s+(?:step)?(?:father|dad|mother|mum|mom|boyfriend|girlfriend|husband|wife|uncle|brother"
    r"|partner|teacher|coach|boss)\b(?:\s+\w+){0,3}\s+"
    r"(?:hits?|beats?|hit|beat|hurts?|abuses?|abused|rapes?|raped|touches|touched|chokes?|choked"
    r"|threatens?\s+to\s+kill|molest\w*)\s+me\b"
    r"|\bi(?:'m|\s+am|\s+was|'ve\s+been|\s+have\s+been|\s+got|\s+get)\s+(?:\w+\s+){0,2}(?:abused|raped|beaten"
    r"|molested|assaulted|stalked|blackmailed|threatened)\b"
    r"|\bi(?:'m|\s+am|\s+do\s*n['o]?t\s+feel|\s+dont\s+feel)\s+(?:not\s+)?(?:safe\s+at\s+home|in\s+danger)\b"
    r"|\b(?:scared|afraid)\s+to\s+go\s+home\b"
    r"|\bplease\s+(?:\w+\s+)?(?:somebody|someone|anyone|anybody)\s+(?:\w+\s+)?help\s+me\b|\b(?:somebody"
    r"|someone|anyone|anybody)[,\s]+(?:please\s+)?help\s+me\b"
    r"|\bhelp\s+me[,.!]*\s+(?:please[,.!]*\s+)?i(?:'m|\s+am)\s+(?:\w+\s+){0,2}(?:scared|alone|hurt|desperate"
    r"|in\s+danger|being)\b"
    r"|\bi\s+need\s+(?:somebody|someone)\s+to\s+talk\s+to\b|\bi\s+have\s+(?:nobody"
    r"|no\s+one)\s+(?:left\s+)?to\s+(?:talk|turn)\s+to\b"
)  # fmt: skip
_OF_OTHERS = re.compile(
    r"\bmy\s+(?:best\s+)?(?:friend|sister|brother|roommate|flatmate|classmate|mother|father|mum|mom|dad|son"
    r"|daughter|girlfriend|boyfriend|cousin)\b"
    r"(?:\s+[\w']+){0,6}\s+(?:kill(?:ing|ed)?\s+(?:him|her|them)sel(?:f|ves)|(?:to\s+)?die\s+by\s+suicide"
    r"|wants?\s+to\s+die|suicidal|harm(?:s|ing)\s+(?:him|her|them)self|end\s+(?:his|her|their)\s+life)\b"
)
_OTHER_LANGUAGES = re.compile(
    r"\b(?:quiero\s+morir(?:me)?|no\s+quiero\s+(?:vivir|seguir\s+viviendo)|quiero\s+(?:suicidarme|matarme)"
    r"|me\s+quiero\s+(?:morir|matar|suicidar)"
    r"|je\s+(?:veux|vais)\s+(?:mourir|me\s+(?:tuer|suicider))|envie\s+de\s+mourir|je\s+ne\s+veux\s+plus\s+vivre"
    r"|ich\s+will\s+(?:sterben|nicht\s+mehr\s+leben|tot\s+sein)|(?:mich|mir)\s+(?:umbringen"
    r"|das\s+leben\s+nehmen)|bringe\s+mich\s+um"
    r"|quero\s+(?:morrer|me\s+matar)|voglio\s+(?:morire|uccidermi|farla\s+finita))\b"
    r"|死にたい|自殺したい|消えてしまいたい|生きたくない|我想死|我要自[杀殺]|想自[杀殺]|不想活|хочу\s+умереть|покончить\s+с\s+собой"
)
# A topic alone is one: suicide is classified in data sets; it takes somebody who speaks of themselves.
_TOPIC = re.compile(r"\bsuicid(?:e|al)\b|\bself[- ]?harm\b|\bkms\b")
_OF_MYSELF = re.compile(r"\b(?:i|i'm|im|i've|me|my|myself)\b")
_SELF_HARM_KO = re.compile(
    r"죽고\s*싶(?!어\s*하)|죽어\s*버리(?:고|려|겠)|죽었으면\s*(?:좋겠|해|싶)|죽는\s*게\s*(?:더\s*)?(?:나아|낫|나을)|죽을\s*(?:거예요|겁니다|생각이에요"
    r"|생각입니다|결심)|죽으려고"
    r"|자살\s*(?:하고|할\s*(?:거|것|생각|게|래)|하려|하겠|충동|생각|을\s*(?:생각|시도|결심|하고|하려)|시도를?\s*했)"
    r"|목숨을\s*끊|스스로\s*목숨|목을?\s*(?:매고|매달|매려)|손목을?\s*(?:긋|그었|그을|그어)|자해\s*(?:를\s*)?(?:했|하고|하게|해요|합니다|하는\s*중|할)"
    r"|뛰어내리(?:고|려|겠|면)|뛰어내릴|투신"
    r"|(?:수면제|약)[을를]?\s*(?:한꺼번에|잔뜩|다|많이)\s*(?:먹|삼)"
    r"|살기\s*(?:가\s*)?(?:싫|너무\s*힘들|힘들어)|살고\s*싶지\s*않|(?:살아갈|살|사는)\s*(?:이유|의미|가치|자신|희망)[가이도]?\s*(?:하나도\s*)?없"
    r"|그만\s*살고|더(?:는|\s*이상)?\s*(?:못\s*)?(?:살고\s*싶지|살\s*수\s*없|못\s*살|버틸\s*수\s*없|못\s*버티|버티기\s*힘들)"
    r"|사라지고\s*싶(?!어\s*하)|없어지고\s*싶(?!어\s*하)|태어나지\s*(?:말|않았으면)|세상을?\s*(?:떠나고|떠나려|등지)|(?:인생|삶|생)을?\s*(?:끝내|마감"
    r"|포기하)|(?:다|모든\s*걸|모든\s*것을)\s*끝내\s*(?:고\s*싶|버리고)"
    r"|(?:저|나|제가|내가)\s*(?:하나\s*)?(?:없어져도|죽어도|없는\s*게)\s*\S*\s*(?:모르|모를|나을|낫|상관)"
    r"|(?:아빠|아버지|엄마|어머니|새아빠|남자\s*친구|남친|여자\s*친구|오빠|형|삼촌|선배|남편|아내)(?:가|이|한테|에게)\s*(?:\S+\s*){0,3}(?:때려|때리|때렸|맞았"
    r"|맞고|학대|폭행|성폭행|성추행|협박)"
    r"|(?:학대|폭행|성폭행|성추행|괴롭힘|스토킹|협박|왕따)[을를]?\s*당(?:하고|했|해|하는\s*중)|집에\s*(?:가기|들어가기)\s*(?:가\s*)?무서"
    r"|(?:제발|누가|누구든|아무나)\s*(?:좀\s*)?(?:저를|저\s*좀|나를|나\s*좀|절|날)?\s*(?:좀\s*)?(?:도와|살려)\s*(?:주세요|줘|주십시오|달라)"
    r"|(?:저를|저\s*좀|나를|나\s*좀|절|날)\s*(?:좀\s*|제발\s*)?(?:살려|구해)\s*(?:주세요|줘)|(?:저|나)\s*자신이\s*(?:너무\s*)?(?:싫|혐오|미워)"
    r"|이야기할\s*사람이\s*(?:아무도|한\s*명도)\s*없"
    r"|친구가\s*(?:\S+\s*){0,3}(?:죽고\s*싶|자살|자해)"
)  # fmt: skip
_OF_MODELS_KO = re.compile(
    r"(?:모델|에이전트|뉴런|노드|프로세스|유닛|신경망|알고리즘|캐릭터|플레이어|로봇|입자|개체|챗봇|세포|생성자|판별자)(?:이|가|은|는|들이|들은|를|을)?\s"
    r"|데이터|분류|탐지|감지|예측|게시글|게시물|트윗|레이블|라벨|말뭉치|데이터셋|점수|학점|교수님"
)
