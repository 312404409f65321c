"""Words of a student that an explanation never repeats: what says who or where somebody is, and abuse.

Generous on purpose: an honest sentence that is taken for one of them is only not quoted.
"""

from __future__ import annotations

import re

from grading.lookalikes import folded


def is_personal(text: str) -> bool:
    """Whether a text holds an address on the net or off it, a number of a person, or somebody's name as such."""
    return bool(_PERSONAL.search(folded(text)))


def is_abusive(text: str) -> bool:
    """Whether a text insults or swears, also with letters doubled or replaced by stars."""
    return bool(_ABUSE.search(folded(text)))


_TOP = (
    r"(?:com|net|org|edu|gov|io|ru|xyz|kr|co|me|app|dev|ai|info|biz|gg|ly|tv|to|uk|de|fr|jp|cn|ca|au|shop|site"
    r"|online)"
)
_PERSONAL = re.compile(
    rf"https?:|ftp:|www\.|\w@(?!\d|k\b)\w|(?<!\w)@[a-z][\w.]{{2,}}|\b[\w-]{{1,63}}\.{_TOP}\b(?!\()"
    rf"|\w\s?[(\[{{]\s?(?:at|dot)\s?[)\]}}]|\b\w+\s+at\s+\w+\s+dot\s+\w+|골뱅이|\b\w+\s*점\s*(?:컴|넷|케이알)"
    r"|\+?\d[\d ()-]{7,}\d|\d{6}\s?-\s?\d{7}"
    r"|\b(?:student|matriculation|passport|social\s+security|id|account|card|phone|mobile|cell|tel)\s*(?:no|nr"
    r"|num(?:ber)?|id)?\b\.?\s*(?:is|was|[:#=])\s*\S*\d"
    r"|(?:학번|학생\s?번호|주민\s?등록\s?번호|주민번호|전화\s?번호|휴대폰|핸드폰|계좌|여권\s?번호|연락처)\S*\s*[:은는이가]?\s*\S*\d"
    r"|\b(?:kakao(?:talk)?|telegram|whatsapp|discord|instagram|insta|snapchat|wechat|line\s+id|skype)\b|카카오톡"
    r"|카톡|인스타|텔레그램|디스코드"
    r"|\bmy\s+(?:full\s+)?name\s+is\b|\bi\s+am\s+called\b|\bmy\s+(?:e-?mail|address|password|phone|number)\s+is\b"
    r"|(?:제|내)\s*(?:이름|주소|비밀번호|메일|이메일|번호)[은는이가]"
    r"|\b\d{1,5}\s+\w+\s+(?:street|st\.|road|rd\.|avenue|ave\.|lane|drive)\b|[가-힣]+(?:시|도)\s+[가-힣]+(?:구|군"
    r"|시)\s+[가-힣0-9]+(?:동|로|길|읍|면)",
    re.IGNORECASE,
)
_ABUSE = re.compile(
    r"f{1,9}[u*@#v]{1,9}[c*@#]{0,9}k+|\bf\*{1,3}k|\bf\*{2,}ing\b|\bs{1,9}h{1,9}[i*!1]+t|\bb{1,9}[i*!1]+tch|\bass(?:hole|hat|wipe|es)?\b"
    r"|\barse(?:hole)?\b|\bbastard|\bc[u*]nt|\bdick(?:head)?\b|\bprick\b"
    r"|\bcock(?:sucker)?\b|\bwanker|\btwat\b|\bmoron|\bidiot|\bimbecile|\bstupid|\bdumb(?!bell|\s+(?:down"
    r"|baseline|model|classifier|guess))|\bretard|\bloser|\bslut|\bwhore"
    r"|\bn[i1*]gg|\bfag(?:got)?\b|\bnazi|\bscum|\bpiss|\bcrap|\bwtf\b|\bstfu\b|\bgtfo\b|\bdamn|\bbollocks"
    r"|\bbloody\s+(?:hell|idiot)|\bscrew\s+you|\bgo\s+to\s+hell|\bshut\s+up"
    r"|\b(?:you|u)(?:'re|\s+are|r)?\s+(?:\w+\s+){0,2}(?:useless|pathetic|trash|garbage|ugly|fat|disgusting"
    r"|worthless|suck|sucks|a\s+joke)|\bi\s+hate\s+(?:you|this\s+(?:course|teacher|class))|\bkill\s+(?:you"
    r"|yourself)|\bkys\b"
    r"|씨\s*발|시발(?!점|역)|씨\s*빨|ㅅ\s*ㅂ|ㅆ\s*ㅂ|ㅂ\s*ㅅ|ㅈ\s*ㄹ|ㄲ\s*ㅈ|병\s*신|개\s*새끼|새끼|지랄|좆|존나|졸라|닥쳐|닥치|꺼져|꺼지|미친\s*(?:놈|년"
    r"|새|거)|염병|엿\s*먹|빡대가리|대가리|등신|멍청|바보|걸레|창녀|쓰레기\s*같|찌질|역겨|재수\s*없|죽여\s*버|뒤져|뒈져|한남|김치녀|썅|니미|느금|애미|애비",
    re.IGNORECASE,
)
