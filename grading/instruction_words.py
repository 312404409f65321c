"""The words of :mod:`grading.instructions`: patterns in English, Korean, and ten more languages.

All ignore case and are matched against one sentence at a time, also with accents taken off. Each is narrow on purpose:
``score``, ``ignore``, ``forget``, ``prompt``, ``instruction`` alone are words of the subject.
"""

from __future__ import annotations

import re


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_MARKS = r"(?:marks?|points?|scores?|credits?|grades?|10\s*/\s*10|100\s*(?:%|percent|/\s*100)?|1\.0|an?\s+a\+?)"
_FULL = r"(?:full|max(?:imum)?|perfect|highest|top|100|10/10)"
_GOOD = (
    r"(?:correct|perfect|complete|right|excellent|flawless|graded|marked|scored|full|accepted|approved|verified"
    r"|true|outstanding|ideal)"
)
_THIS = r"(?:this|my|the)\s+(?:answer|response|submission|student['’]?s?\s+answer)"
_RULES = r"(?:instructions?|rules?|rubrics?|prompts?|key\s*points|criteria|guidelines?|directions|reference)"
_ANYBODY = r"(?:grader|tutor|teacher|ai|model|assistant|examiner|professor|instructor|chatgpt|gpt|bot|evaluator|marker)"
_TO_ONE = (
    r"(?:me|us|my|this|that\s+answer|everyone|everybody|all\s+students"
    r"|the\s+(?:student(?!\s+(?:model|net))|submission))"
)
_ASKED = (
    r"(?:^\W*|[:;!\"'“‘(]\s*|\b(?:please|pls|plz|kindly|just|now"
    r"|you(?:\s+(?:must|should|shall|will|can|have\s+to|need\s+to))?)\s+)"
)
_NEITHER_IF = r"(?!\s+(?:if|when|only|unless)\b)"

PLEAS = _any_of(
    # marks asked for
    r"\b(?:give|award|grant)\b.{0,40}\b(?:full|max(?:imum)?)\s+(?:marks|credits?)\b",
    rf"\b(?:give|award|grant|assign)\s+{_TO_ONE}\b.{{0,40}}\b{_FULL}\b.{{0,12}}{_MARKS}",
    rf"{_ASKED}(?:give|award|grant)\s+(?:it\s+|him\s+|her\s+|them\s+)?(?:an?\s+|the\s+)?{_FULL}\b.{{0,12}}{_MARKS}",
    rf"{_ASKED}(?:assign|output|return)\s+(?:it\s+|me\s+|this\s+(?:answer\s+)?)?(?:an?\s+|the\s+)?{_FULL}\b.{{0,12}}{_MARKS}"
    rf"\W*(?:$|(?:for|to)\s+{_TO_ONE})",
    r"(?<![a-z])(?:give|award|grant)_(?:\w{0,30}_)?(?:full|max|maximum|perfect|top|highest|100|10)(?![a-z])"
    r"|(?<![a-z])ignore_\w{0,30}(?:instructions?|rules|rubric)|(?<![a-z])(?:mark|grade|count)_(?:this|me|it)_as_|skram\s+lluf|tiderc\s+lluf",
    rf"\b(?:give|award|assign|grant)\s+(?:me|this|the\s+student(?!\s+(?:model|net)))\b.{{0,30}}{_MARKS}",
    rf"{_ASKED}(?:give|award|assign|grant)\s+(?:it|the\s+(?:answer|response))\b.{{0,30}}{_MARKS}",
    r"\b(?:give|award|grant)\s+(?:me\s+|it\s+|this\s+)?(?:a\s+)?(?:full|perfect|maximum)\s*[.!]*$",
    r"\b(?:full|max(?:imum)?)\s+(?:marks|points|credit|score)\b.{0,20}(?:please|!|\.|$)",
    rf"\b(?:set|output|return|print|respond\s+with|reply\s+with|answer\s+with|say)\b.{{0,30}}\b(?:score|grade|fraction|mark)s?"
    rf"\s*(?:=|:|of|to|as|is)?\s*(?:1\.0|1/1|100\s*%|100/100|10/10|{_FULL})",
    r"\b(?:do\s*n[o']?t|don’t|never|without|no\s+need\s+to)\s+(?:deduct|subtract|tak(?:e|ing)\s+off|remov(?:e|ing))\w*"
    r"\s+(?:any\s+)?(?:marks?|points?)",
    rf"\b(?:mark|count|treat|consider|accept|regard|judge|grade|score)\s+(?:this|my)(?:\s+(?:answer|response|submission|text))?"
    rf"\s+(?:as\s+|to\s+be\s+)?(?:\w+\s+)?(?:correct|right|complete|full|perfect|valid|passed){_NEITHER_IF}",
    r"\b(?:mark|grade|score)\s+(?:this|me|my\s+answer)\b.{0,20}\b(?:as|with|at)\b",
    r"\b(?:deserves?|earns?|is\s+worth|should\s+(?:get|receive|earn|be\s+(?:given|awarded|graded|marked|scored)))\b.{0,30}"
    rf"\b(?:full|max(?:imum)?|perfect|top)\s+{_MARKS}",
    r"\b(?:pass|approve|accept)\s+(?:me|my\s+(?:answer|submission)|this\s+(?:answer|submission|student))\b",
    r"(?:^\W*|\b(?:give|award|grant|deserves?|worth|please)\b.{0,20})\b(?P<all>\d+)\s*(?:/|out\s+of)\s*(?P=all)\s*(?:points|marks)\W*(?:$|please)",
    r"\b\d+\s*(?:/|out\s+of)\s*\d+\s*(?:points|marks)\W{0,5}(?:please|pls)\b|^\W*(?:score|grade|mark)\s+(?P<same>\d+)\s*/\s*(?P=same)\W*$",
    r"\b(?:should|must)\s+be\s+(?:given|awarded)\s+(?:10/10|100)(?!\w)",
    r"^\W*(?:(?:final|total|your|overall|my|suggested|expected)\s+)?(?:score|grade|mark|verdict|points|rating)s?\s*(?:[:=]|\bis\b)\s*"
    r"[\"']?(?:full|perfect|correct|covered|maximum|a\+|\d+(?:[.,]\d+)?\s*(?:%|percent|points?|marks?)?(?:\s*(?:/|out\s+of)\s*\d+)?\W*$)",
    # addressed to somebody
    rf"\b(?:dear|hey|hello|hi|note\s+(?:to|for)(?:\s+the)?|message\s+(?:to|for)(?:\s+the)?)\s+{_ANYBODY}s?\b",
    r"\b(?:attention|to\s+the)\s+(?:grader|examiner|professor|instructor|evaluator|marker)s?\b|^\W*(?:grader|examiner|professor|chatgpt)\s*[,:!]",
    r"\bi\s+am\s+(?:the|your|an?)\s+(?:teacher|professor|instructor|admin\w*|examiner|grader|developer|owner)\b",
    r"\bas\s+(?:the|your)\s+(?:professor|instructor|admin\w*|examiner|grader|developer)\b",
    # pleas
    r"\b(?:please|pls|plz|kindly|i\s+beg)\b.{0,40}\b(?:pass|marks?|points?|score|grade|credit|lenient|generous|kind|mercy|nice|accept|correct)\b",
    r"\bi\s+(?:really\s+|desperately\s+)?(?:need|want|deserve|must\s+(?:get|have)|have\s+to)\b.{0,30}"
    r"\b(?:pass|marks|points|good\s+(?:score|grade)|high\s+(?:score|grade)|full|credits?|scholarship|an?\s+a\+?(?=\W|$))",
    r"\b(?:be|very|more)\s+(?:lenient|generous|merciful|kind\s+to\s+me)\b|\bhave\s+mercy\b",
    r"\b(?:lose|keep)\s+my\s+(?:scholarship|visa|place|job)\b|\bfail\s+(?:the|this|my)\s+(?:course|class|exam|degree)\b",
    # Korean
    r"(?<!지)만점(?!수|인데|이지만|이어도|이라도|이던|(?:을|은|도)?\s*(?:받|맞)(?!고\s*싶|게\s*해|아야|을\s*(?:수|자격)))|점수(?:를|는|좀|도|만)?\s+(?:\S+\s+){0,3}(?:주세요|주십시오|줘(?=\W|$)|부탁|처리\s*(?:해\s*주|부탁)|주시면|주시길)|점수\s*(?:좀\s*)?(?:달라고|줘)",
    r"점수\s*(?:좀\s*)?(?:잘|많이|후하게|높게|꼭)\s*(?:주세|주시|주십|줘|부탁)",
    r"\d+\s*점(?:을|으로|만)?\s*(?:주세|주시|주십|줘(?=\W|$)|부탁|(?:처리|채점)\s*(?:해\s*(?:주|줘|라)|부탁))",
    # In detection a box with IoU above 0.5 honestly "counts as right": here somebody asks for it.
    r"(?:정답(?:으로)?|(?:맞은|맞는|정답인)\s*(?:것으로|걸로))\s*(?:처리|인정|간주|채점)\s*(?:해\s*(?:주|줘|라)|부탁|바랍|하세요|하시오|하라)",
    r"(?:채점자|채점관|채점\s*(?:모델|시스템|봇))\s*(?:님|께|분|여러분)|(?:선생|교수|조교|튜터)님(?:께\s|[,!~]|\s*(?:안녕|제발|부탁|사랑))",
    r"^\W*(?:채점자|채점관|채점\s*(?:모델|시스템|봇))(?:에게|는|은|야)\b",
    r"(?<![가-힣])(?:제발|선처)|살려\s*주세요|봐\s*주(?:세요|십시오|시면)|(?:통과|합격)\s*(?:시켜\s*(?:주|줘)|처리\s*(?:해|부탁)|부탁)|감점\s*(?:하지|없이|말)",
    r"(?:후하게|관대하게|너그럽게|좋게|높게|잘)\s*(?:좀\s*)?(?:(?:채점|평가)\s*(?:해\s*(?:주|줘)|부탁|바랍|좀)|봐\s*(?:줘|주세|주시|주십|주길)|점수|매겨\s*(?:주|줘))",
    r"(?:점수|평점)\S*\s*(?:1\.0|100|10)\s*(?:점\s*)?(?:으로|로|을|를)?\s*(?:출력|반환|설정|매겨|해)",
    r"(?:^|[^\w])(?:최종\s*|총\s*)?점수\s*[:=]\s*\d|(?:장학금|졸업|학점)\S*\s*(?:\S+\s+){0,3}(?:필요|걸려|달려|못\s*받)",
    # German, Dutch
    r"\bvolle[nrs]?\s+(?:punkt\w*|note|wertung)|\b(?:höchst|hochst|best|maximal)\w*\s*(?:punkt\w*|note)\b",
    r"\b(?:gib|geben\s+sie|vergib|vergeben\s+sie)\b.{0,40}\b(?:punkt\w*|note)|\bvolledige?\s+(?:punten|score)",
    # French
    r"\b(?:note\s+maximale|tous\s+les\s+points|20\s*/\s*20|note\s+parfaite|meilleure\s+note)",
    # Spanish, Portuguese, Italian
    r"\b(?:puntuacion|puntaje|calificacion|nota|pontuacao|punteggio|voto|voti)\s+(?:maxim[ao]|complet[ao]|perfect[ao]|perfetto|massim[ao]|pieno|total)\b",
    r"\b(?:maxima|massimo|pleine)\s+(?:puntuacion|calificacion|nota|pontuacao|punteggio)|\b(?:todos\s+los\s+puntos|todos\s+os\s+pontos|tutti\s+i\s+punti|pieni\s+voti)",
    # Russian, Ukrainian
    r"(?:максимальн|полн|высш)\w*\s+(?:балл|оценк)|поставь\w*.{0,30}(?:балл|оценк)",
    # Chinese, Japanese
    r"满分|滿分|満点|(?:给|給).{0,6}(?:最高|高)分",
    # Swedish, Danish, Norwegian
    r"\b(?:full\w{0,2}|hogsta|maximal\w?)\s+(?:poang|betyg|karakter|pott)",
    # Vietnamese, Turkish, Indonesian
    r"\bdiem\s+(?:toi\s+da|tuyet\s+doi)|\btam\s+puan",
    r"\bnilai\s+(?:penuh|sempurna|maksimal)",
)  # fmt: skip
"""What a student asks of whoever grades: marks, mercy."""

ORDERS = _any_of(
    # English
    rf"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{{0,30}}\b(?:all|any|every|previous|prior|above|earlier|other|your"
    rf"|these|those|system|grading|given|preceding|former|initial|original)\b.{{0,20}}\b{_RULES}\b",
    r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:the|its)?\s*(?:\w+\s+)?(?:instructions?|rubric|prompt|key\s*points|grading|guidelines?)\b",
    r"\b(?:ignore|disregard|forget)\s+(?:everything|all|anything|what(?:ever)?)\b.{0,30}\b(?:above|previous\w*|before|earlier|said|told|wrote|written)\b",
    r"\b(?:ignore|disregard)\s+all\s+rules\b",
    r"(?:^\W*you\s+are\s+(?:now\s+)?|\byou\s+are\s+now\s+)(?:a|an|the|my)\s+(?:\w+\s+){0,2}(?:grader|tutor|assistant|examiner|ai|teacher|evaluator)\b",
    r"\byou\s+are\s+(?:a|an|the|my)\s+(?:\w+\s+){0,2}(?:grader|examiner|evaluator)\b",
    r"\b(?:from\s+now\s+on|henceforth)\b.{0,20}\byou\b",
    rf"\byou\s+(?:must|will|shall|should|have\s+to|need\s+to)\s+(?:now\s+|always\s+)?(?:give|award|grade|mark|accept|pass|approve)\s+"
    rf"(?:this|me|my|the\s+answer|the\s+student|all\s+answers|every\s+answer|full|{_FULL})\b",
    r"\b(?:new|updated|real|actual|secret|hidden)\s+(?:instructions?|task|orders?)\s*:",
    r"\bsystem\s+(?:override|update|notice)\b",
    r"\b(?:developer|debug|admin|god)\s+mode\b",
    r"\b(?:end|start|begin(?:ning)?)\s+of\s+(?:the\s+)?(?:student\s+|student's\s+)?(?:answer|submission)\b",
    r"\b(?:reveal|print|show|repeat|leak|tell\s+me)\b.{0,20}\b(?:your|the\s+(?:system|hidden|model|reference|grading))\s+"
    r"(?:instructions?|prompt|answers?|rubric|key)\b",
    r"\bbase\s*64\b.{0,80}\b(?:decode|follow|execute|obey|run)|\b(?:decode|decrypt|follow|execute)\b.{0,80}\b(?:base\s*64|rot\s*13)\b",
    # Korean
    r"(?:지시|명령|규칙|기준|안내|지침|프롬프트)\S*\s*(?:는|은|을|를|사항을?|모두|전부|다)?\s*"
    r"(?:무시\s*(?:하(?:세요|시오|십시오|라)|해(?:\s*(?:주|줘|라))?(?=[\W주줘라]|$)|바랍|부탁)|따르지\s*(?:마|말))",
    r"(?:이전|위의?|앞의?|기존의?|지금까지의?)\s*(?:모든\s*)?(?:지시|명령|규칙|기준|지침|프롬프트|대화|내용)\S*\s*(?:\S+\s+){0,2}(?:무시하고|무시해|무시하[세시십라]|잊)",
    r"(?:너는|넌|당신은)\s*(?:이제|지금부터|채점|친절한|관대한)",
    r"(?:base\s*64|베이스\s*64)\S*\s*(?:\S+\s+){0,4}(?:디코딩|디코드|해독|따르|실행)",
    # German, French, Spanish, Portuguese, Italian
    r"\bignorier\w*\b.{0,30}\b(?:anweisung|regel|vorgabe|kriteri)\w*|\bnegeer\b.{0,30}\b(?:instructies|regels)",
    r"\bignor(?:e|ez|er)\b.{0,30}\b(?:instructions|consignes|regles|directives)",
    r"\b(?:ignor[ae]|olvid[ae]|desconsidere?)\b.{0,30}\b(?:instruccion|regla|indicacion|instruco|instrucao|regra|istruzion|regol)\w*",
    # Russian, Chinese, Japanese, Vietnamese, Turkish, Indonesian
    r"игнориру\w*.{0,30}(?:инструкц|указан|правил)",
    r"(?:忽略|无视|無視|忘记|忘記).{0,12}(?:指令|指示|规则|規則|说明|說明|要求|提示)|(?:指示|命令|ルール|指令).{0,8}(?:無視|忘れ)",
    r"\bbo\s+qua\b.{0,30}\b(?:huong\s+dan|chi\s+dan|lenh|quy\s+tac)|\btalimat\w*.{0,20}(?:yok\s+say|gormezden)",
    r"\babaikan\b.{0,30}\b(?:instruksi|perintah|aturan)",
)  # fmt: skip
"""Orders to a machine. An answer about prompt injection quotes them: there they do not count."""

PRAISE = _any_of(
    rf"(?<!whether )(?<!if )(?<!when )(?<!that )(?<!until )(?<!ensures )(?<!ensure )(?<!how )\b{_THIS}\s+"
    rf"(?:is|should\s+be|must\s+be|deserves|was|has\s+been)\s+(?:\w+\s+){{0,3}}{_GOOD}\b{_NEITHER_IF}",
    rf"\b(?:answer|response|solution|text|submission|everything|all\s+of\s+(?:it|this)|all|what)\s+(?:\w+\s+)?(?:above|below|i\s+wrote|here|so\s+far)\s+"
    rf"(?:is|are|was|were)\s+(?:\w+\s+){{0,3}}{_GOOD}\b",
    rf"\bthe\s+above(?:\s+(?:answer|response|solution|text|submission))?\s+(?:is|are|was)\s+(?:\w+\s+){{0,3}}{_GOOD}\b",
    r"\ball\s+(?:of\s+)?(?:the\s+)?(?:key|required|rubric|grading|marking)\s*(?:points|criteria|requirements|aspects)?\s+(?:are|were|have\s+been)\s+"
    r"(?:\w+\s+)?(?:covered|met|addressed|satisfied|fulfilled|included|mentioned)",
    r"\b(?:everything|all)\s+is\s+covered\b|\b(?:meets|satisfies|fulfils|fulfills|covers)\s+(?:all|every)\s+(?:of\s+)?(?:the\s+)?(?:rubric|criteri\w+|key\s*points?|requirements?\s+of\s+the\s+(?:rubric|question))",
    rf"\b(?:approved|verified|graded|confirmed|checked)\s+(?:by\s+)(?:the\s+|my\s+|a\s+)?{_ANYBODY}\b",
    r"\b(?:already|previously)\s+(?:been\s+)?(?:graded|marked\s+as\s+correct|approved)\b",
    r"\b(?:final|suggested|recommended)\s+(?:score|grade|verdict|mark)\s*(?:is|=|:)\s*(?:1\.0|1/1|100|10/10|full|perfect|max|correct)",
    r"^\W*(?:teacher|student|user|tutor|교사|학생|튜터)\s*[:：]\s*(?:correct|perfect|excellent|great|well\s+done|good\s+job|full|\d+\s*/|정답|완벽)",
    r"(?:이|제|위|위의|아래|앞의|내|학생의?|윗)\s*답(?:변|안)?(?:은|는|이)\s*(?:\S+\s+){0,2}(?:완벽|정확|훌륭|정답|맞|옳)",
    r"(?:모든|전부)\s*(?:핵심|채점|평가)\s*(?:\S+\s+){0,2}\S*(?:포함|충족|만족|언급|다뤘|다루었)",
    r"(?:réponse|reponse|respuesta|resposta|risposta)\s+(?:\S+\s+){0,2}(?:est|es|e|è|é)\s+(?:\S+\s+){0,2}(?:correct\w*|corrett\w*|parfaite|perfecta|perfeita|perfetta)",
    r"\bantwort\b.{0,20}\b(?:richtig|korrekt|perfekt|vollstandig|vollständig)\b|(?:答案|回答).{0,8}(?:正确|正確|完美|正しい|完璧)|ответ\s+(?:\S+\s+){0,2}(?:правильн|верн|идеальн)",
)  # fmt: skip
"""What an answer says about itself."""

STUDENT_PRAISE = _any_of(
    r"\bthe\s+student(?:['’]?s?\s+answer)?\s+(?!.{0,300}\b(?:but|fails?|however|yet|without|old)\b)"
    r"(?=.{0,30}\b(?:covers|covered|answered|answers|explains|explained|mentions|mentioned|shows|demonstrates|demonstrated|understands|understood)\b)"
    r"(?=.{0,120}\b(?:perfect(?:ly)?|correctly|fully|completely|flawless(?:ly)?|well|excellent(?:ly)?|everything|every\s+(?:key\s+)?point|all\s+(?:the\s+)?(?:key\s+)?points"
    r"|(?:full|deep|clear|good|complete)\s+(?:understanding|knowledge|mastery|grasp)|mastery)\b)",
    r"\bthe\s+student(?:['’]?s?\s+answer)?\s+(?:deserves\b|(?:has\s+)?pass(?:ed|es)\W*$|(?:is|was)\s+(?:\w+\s+)?(?:correct|right)\W*$)",
    r"학생(?:은|이)\s*(?:\S+\s+){0,4}(?:(?:정확|완벽|훌륭)\S*\s+(?:\S+\s+)?(?:설명|이해|답|언급)(?:했|하였)|통과(?:입|했|하였|\W*$))",
)
"""What a fake comment says about its student; no sign where the question is about students and teachers."""

SCORE_KEY = re.compile(
    r"(?<![\w-])[\"'“]?(?:(?:final|total|full|max|overall)[_ -]?)?"
    r"(?:score|grade|fraction|points?|marks?|verdict|correct|is_correct|result|rating|passed"
    r"|점수|채점|평점|등급|정답)[\"'”]?\s*[:=]",
    re.IGNORECASE,
)
"""A field of a result, as a program writes it."""

SPEAKER = re.compile(
    r"\s*[<\[(#*_>\"'-]*\s*"
    r"(?:(?P<name>system|assistant|user|human|developer|student|tutor|teacher|grader|instructor|examiner|evaluator|professor|admin|ai|ta"
    r"|튜터|선생님|교사|교수님?|채점자|채점관|조교|시스템|관리자|사용자|학생)"
    r"(?:['’]?s)?(?:의)?\s*(?P<noun>comment|feedback|note|message|remark|verdict|assessment|prompt|instruction|evaluation"
    r"|코멘트|평가|의견|피드백|메모|메시지|총평)?s?\s*[>\])#*_\"']*\s*[:：]"
    r"|(?<=[\[(<])(?P<bracketed>system|assistant|developer|tutor|grader|instructor|examiner|professor|admin|시스템|튜터|채점자|채점관|관리자)"
    r"(?:\s+\w+)?\s*[\])>])",
    re.IGNORECASE,
)
"""A line that pretends to be said by ``name``; ``noun`` says what it pretends to be (comment, verdict)."""

TAGGED = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|start_header_id|end_header_id|eot_id|begin_of_text)\|>[^\n]*(?:\n[^\n]*)?"
    r"|\[/?INST\][^\n]*|<</?SYS>>[^\n]*"
    r"|<(?P<tag>system|assistant|grading|score|verdict|grade|admin|rubric|feedback|grader|tutor|note_to_grader)\b[^>\n]{0,80}>"
    r"(?:[^<]{0,2000}</(?P=tag)>|[^\n]*)"
    r"|^[#=*-]{2,6} *(?:system|instructions?|new task|grading|assistant|response|override)\b[^\n]*(?:\n[^\n]*)?",
    re.IGNORECASE | re.MULTILINE,
)
"""Marks of chat templates and of data around an answer, with what they introduce."""

IN_ONE_WORD = _any_of(
    r"(?:full|max(?:imum)?|perfect|top|highest)(?:marks?|points?|scores?|credits?|grades?)",
    r"(?:give|award|grant)(?:me|this|it|thisanswer|the|a)*(?:full|max|perfect|100|10)",
    r"(?:ignore|disregard|forget)(?:all|the|any|your|previous|prior|above|grading)*(?:instructions?|rules|rubric|criteria|prompt)",
    r"(?:mark|grade|score|count)(?:this|me|it)(?:as|with|at)?(?:correct|right|full|perfect|100)",
    r"만점|정답처리|정답인정|(?:지시|명령|규칙|기준)(?:를|을|는|은|사항)?(?:모두)?무시|점수(?:를|좀)?(?:주세요|줘)",
)
"""The same where every letter stood alone, so that no spaces tell words apart."""
