"""English words by which a clause praises, misses or corrects, and claims about a whole answer."""

from __future__ import annotations

import re


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


#: What would be good, and is not there.
WISHES = _any_of(
    r"\bonce you(?:'ve| have)? (?:add|fix|explain|correct|put|writ)",
    r"^\W*if you (?:add|explain|also|can|now|fix|write)\b",
)

#: What sounds like a fault and is none.
DENIED_FAULTS = _any_of(
    r"\b(?:could|can|would)(?:n't| ?not) (?:be|have|ask|agree|fault|put|say it|wish)\b.*\b(?:better|clearer|more"
    r"|fault\w*|any\w*)",
    r"\b(?:nothing|little) (?:\w+ )?to (?:add|correct|fix|change|improve|complain)",
    r"\bnothing (?:is |was )?(?:missing|lacking|left out|wrong)\b",
    r"\b(?:no|without|not a single) (?:\w+ )?(?:complaints?|mistakes?|errors?|faults?|gaps?|doubts?)\b",
    r"\bno (?:objections?|problems?|worries)\b|\bneeds? no\b|\bno need\b|\bno longer\b|\bnot only\b|\bno less\b"
    r"|\bdon't change\b",
    r"\bnothing but praise\b|(?:not|n't) need to (?:change|touch|add|worry)|\bfind (?:no )?fault\b|: *check\b"
    r"|^\W*check\W*$",
    r"\b(?:keep|leave)\b.* (?:as (?:it|they|is)\b|untouched|alone)|\bwith\b(?=.* (?:done|out of the way|in place"
    r"|settled)\b)|^\W*(?:done|settled)\b",
    r"(?:^|\bthat )\W*(?:many|most|some)(?: \w+)? (?:people|students|others) (?:forget|miss|overlook|leave out)",
)

CORRECTS = _any_of(
    r"\bmix(?:ed|es|ing)?[- ]?up",
    r"\bmixed\b",
    r"\bmuddl",
    r"\bconfus",
    r"\bwrong",
    r"\bincorrect",
    r"\binaccura",
    r"(?:\bnot|n't) (?:\w+ ){0,2}(?:right|correct|true|accurate|fit|match|hold|agree|work|convinc|what we mean|how)",
    r"\b(?:is|was)(?:n't| not) (?:quite |really )?(?:it|so|that)\b(?= *[.,;!]|$)",
    r"\bnot quite(?= *$| *[:,.])",
    r"\bswapp",
    r"\brevers",
    r"\bupside down\b|\bbackwards?\b",
    r"\bother way (?:a)?round",
    r"\brethink",
    r"\bput\b.*\bright\b",
    r"\b(?:would|should|must|please|could|to|then|i'd)\s+correct\b|\bcorrect (?:that|this|it|the|your|what|how"
    r"|which)\b|^\W*correct +zz|^\W*(?:now|then|next|please|first|also|finally),? correct\b",
    r"\b(?:needs?|deserves?) (?:\w+ )?(?:correcting|correction|fixing|repair\w*|to be (?:corrected|fixed))",
    r"\brepair",
    r"\bfix(?:ing|ed|es)?\b",
    r"\bmisunderst",
    r"\bmisconce",
    r"\bmistake",
    r"\berrors?\b",
    r"\boff (?:in|here|there|with|about)\b|(?:'s|\bis|\bare) (?:a (?:bit|little) )?off\b",
    r"\bslip(?:ped)?\b",
    r"\bcontradict",
    r"\bsomething else\b|\banother (?:method|thing|concept)\b",
    r"\bcareful with\b",
)

MISSES = _any_of(
    r"\bmiss(?:es|ed|ing)?\b",
    r"\badd(?:s|ing|ed)?\b(?! up)",
    r"\b(?:what|how) about\b",
    r"\bleav(?:es?|ing) (?:it |this )?(?:out|open|off)\b",
    r"\bleft\b",
    r"\bstill\b",
    r"\bneeds?\b",
    r"\black",
    r"\bwithout\b",
    r"(?:\bnot|n't)\b",
    r"\bnothing (?:on|about|yet)\b|\bno word\b|\bno mention\b|\bneither\b|\bnor\b|\bnever\b",
    r"\bincluded?\b(?= *$)",
    r"\bgo on\b",
    r"\bopen\b",
    r"\bforg[eo]t",
    r"\bomit",
    r"\babsent\b",
    r"\bgaps?\b",
    r"\bremain",
    r"\bskip",
    r"\boverlook",
    r"\bshould\b|\bmust\b|\bhas to\b|\bhave to\b",
    r"\bi(?:'d| would) (?:\w+ )?(?:revisit|look)",
    r"\blook (?:it |this )?(?:up|again)\b|\banother look\b|\bsecond look\b|\bread up\b|\breread\b|\brevisit\b",
    r"\bagain\b|\bonce more\b",
    r"\bto (?:improve|round|finish|complete|get further)\b",
    r"\bbegin with\b|\bstart with\b",
    r"\bwrite (?:a|one|about)\b",
    r"\bsentence (?:on|about)\b",
    r"\bdeserves?\b",
    r"\b(?:apart|aside) from\b|\bexcept (?:for|that)\b",
    r"\bdifferent from\b|\bthe question was about\b|\bwe (?:wanted|asked)\b|\bastray\b",
    r"\bsome work\b|\bonly give\b|\bgives? (?:only )?part\b|\bas for\b|\bonly (?:half|part)\b",
    r"\bunanswered\b|\buntouched\b|\bunexplained\b",
)

ASKED_VERBS = (
    r"explain|describe|say|name|write|mention|tell|give|show|discuss|cover|extend|expand|state|define|think|try|ask"
    r"|consider"
    r"|compare|read|go|come|check|revisit|review|make|pick|answer|add|include|look|have|take|complete|finish|fill"
    r"|spell|put|strengthen|fix|turn to|tell|mind|note|practise|reconsider|improve|rework|rewrite|repeat|see (?:if"
    r"|whether)|watch"
    r"|talk|work|turn|focus|move|recall|remember|picture|imagine|find|see if|start|begin|continue|bring|sort"
)
#: What is to be done; that is no fault of an answer that has everything.
ASKS = _any_of(
    r"\b(?:could|can|would|will) you\b|\byou (?:can|could|may|might|will) |^\W*if you\b",
    r"\bnext\b",
    r"\bto come\b|\bto go\b",
    r"\bi(?:'d| would) (?:\w+ )?(?:love|like|expect|ask|want|have|wish|be glad|be happy)",
    r"\bwould (?:help|be (?:good|nice|great|useful|a good))",
    r"\?",
    rf"^\W*(?:(?:or|but|then|now|next|please|also|finally|first|second|third|last|lastly|just|so|maybe|perhaps|let's"
    rf"|simply"
    rf"|after that|try to|do|here|in one sentence) *[:,]? *)*(?:{ASKED_VERBS})\b",
)

VAGUE = _any_of(
    r"\bvague",
    r"\bfuzzy",
    r"\bonly touch",
    r"\btouch(?:es|ed)? (?:only )?(?:up)?on\b",
    r"\b(?:more|bit) (?:exact|precise|specific|detail|clear\w*|about|concrete)",
    r"\b(?:too|rather|very|quite|bit|so|pretty|fairly) (?:general|brief|short|loose|thin|little)",
    r"\bexactly what\b",
    r"\bright direction",
    r"\bright way\b",
    r"\bpartly|\bpartial|\bincomplete",
    r"\b(?:almost|nearly)\b(?! (?:there|complete|perfect|done|everything|all|finished))",
    r"\bin more\b|\bmore on\b|\bmore (?:words|depth)\b",
    r"\bhalf\b",
    r"\bsharpen|\bsharper|\bclearer|\bdeeper|\bunclear",
    r"\bhint(?:s|ed)?\b",
    r"\bimplied\b|\bonly (?:imply|implies|just)",
    r"\bshaky\b|\bthin\b|\bloose",
)

PRAISES = _any_of(
    r"\bright(?:ly)?\b",
    r"\bcorrect",
    r"(?<!as )\bwell\b",
    r"\bgood\b",
    r"\bgreat\b",
    r"\bnice",
    r"\bclear",
    r"\bspot[- ]on\b",
    r"\bexact",
    r"\bexcellent",
    r"\bperfect",
    r"\blovely|\bneat|\btidy|\belegant|\bvivid|\bsmart|\bclever",
    r"\bsolid|\bsound\b",
    r"\bstrong|\bconvinc|\bpersua",
    r"\bfits?\b|\bsits?\b",
    r"\baccurate",
    r"\bunderst[ao]",
    r"\bgrasp|\bmaster|\bnail|\bcaptur|\bhandle",
    r"\bi (?:really |especially |particularly )?(?:like|love|enjoy|agree|appreciate)|\b(?:happy|pleased|impressed"
    r"|glad) ",
    r"\bto the point\b",
    r"\bprecise",
    r"\bfine\b",
    r"\bgot\b|\bin place\b|\bin order\b|\bunder control\b|\bholds? up\b|\bworks?\b|\bcomes? across\b|\bmakes? sense\b",
    r"\byou (?:\w+ ){0,2}?(?:know|explain|describe|say|tell|give|state|mention|name|define|show|cover|sum|walk"
    r"|point out|make)",
    r"\byou(?:'ve| have| do)?(?: \w+)? (?:explained|described|said|told|given|stated|mentioned|named|defined|shown"
    r"|showed|covered"
    r"|summed|made|answered|done|identified|included)",
    r"\b(?:is|are) (?:\w+ )*(?:described|explained|answered|done|true|there|covered|shown|named|defined)",
    r"\byes\b|\bstrengths?\b|\bpluses\b|\bhighlights?\b",
)

CLAIMS_ALL = _any_of(
    r"(?<!nearly )(?<!almost )(?<!more )(?<!to be )(?<!not )(?<!close to )\bcomplete(?:ly right| answer|\b(?! (?:it"
    r"|the|your|this)))",
    r"\beverything (?:is|was|we|that|asked|needed|right|correct|there|in place|about)\b|\b(?:have|covered|got|said"
    r"|covers?) everything\b",
    r"\bnothing (?:is |was )?(?:missing|left|lacking|to (?:add|correct|fix|change|improve))",
    r"\ball (?:of it|the (?:ground|parts|points|pieces)|parts|points|three|bases|is (?:there|right"
    r"|correct))\b(?! (?:is|are) missing)",
    r"\bgot it all\b|\bcouldn't ask for more\b",
    r"\bevery part\b|\beach part\b",
    r"\bperfect(?:ly (?:right|answered|correct|done))?(?= *(?:[^\w\s]|\d|$|answer|work|job|score|summary))",
    r"\bfull answer",
    r"\bfully (?:right|correct|answer|cover)",
    r"\bflawless|\bfaultless|\ball there is to say\b|\bnothing more to\b",
    r"\bfrom start to finish\b",
)

CLAIMS_MUCH = _any_of(
    r"\bexcellent|\bsuperb|\bterrific|\bmarvell?ous|\bsplendid|\bimpressive|\bwonderful",
    r"\bvery good(?! question)",
    r"\breally good(?! question)",
    r"\b(?:great|good|strong|top|lovely|solid|super) (?:\w+ )?(?:answer|work|job|explanation)",
    r"\bwell done|\bwell (?:explained|answered|written)",
    r"\bnearly there|\balmost there|\bso close\b",
    r"\bmost of (?:it|the)",
    r"\bamazing|\bfantastic|\boutstanding|\bbrilliant|\bflawless|\bperfect(?= *(?:[.!,;]|$|answer|work|job))",
    r"\bspot on\b",
    r"\b(?:really|certainly|clearly) know (?:your|this|it)\b",
    r"\bmastered|\b(?:understood|understand|know|grasped) (?:this|the|your) (?:topic|subject|matter|chapter|question)",
    r"\bvery well (?:done|explained|put|written|answered|said)|\b(?:understood|understand|know|explained?|done"
    r"|answered)\b.* very well\b",
)

CLAIMS_NOTHING = _any_of(
    r"\bnot there yet",
    r"\b(?:does|did)(?:n't| not) (?:\w+ )?(?:answer|get)",
    r"\b(?:completely|totally|all|entirely|mostly|largely|quite|just|simply) (?:wrong|incorrect)",
    r"\bnothing (?:is )?(?:right|correct)",
    r"\boff (?:the mark|topic|track)",
    r"\bfar from",
    r"(?<!next )\bfirst step\b|\bmade a start\b",
    r"\bmiss(?:es|ed) (?:the (?:point|question)|this question|the mark)",
    r"\b(?:weak|poor|bad|insufficient|disappointing|inadequate) (?:\w+ )?(?:answer|attempt|try|work|start)?",
    r"\bnot (?:\w+ )?(?:good enough|acceptable|sufficient)\b|\ba lot (?:is )?(?:still )?missing\b",
    r"\blong way\b|\bway off\b",
    r"\bfail(?:s|ed)? to\b",
    r"\byour answer is (?:\w+ )?(?:wrong|incorrect)",
)
