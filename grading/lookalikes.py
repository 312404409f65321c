"""How a text reads to a person, whatever characters it is written with: for finding words, never for scoring.

Full-width, circled and mathematical letters, accents, letters of other alphabets that look Latin, and letters with
spaces between them hide a word from a search, not from a reader.
"""

from __future__ import annotations

import re
import unicodedata

_LATIN_FOR = str.maketrans(
    "авекмнорстухіѕјһԁԛԝѵґ" + "αβερνυτκιχηο" + "ɑɡɩıϲϳոսօցđ" + "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abekmhopctyxisjhdqwvr" + "abepvutkixno" + "agiicjnuogd" + "abcdefghijklmnoprstuvwyz",
)
_UPPER_LATIN_FOR = str.maketrans("АВЕКМНОРСТУХІЅЈԌԚԜ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTYXISJGQW" + "ABEZHIKMNOPTYX")
_LOOKALIKES = _LATIN_FOR | _UPPER_LATIN_FOR
_SQUARED = {start + offset: chr(ord("A") + offset) for start in (0x1F150, 0x1F170, 0x1F1E6) for offset in range(26)}
_PLAIN = re.compile("[\x00-\x7f가-힣ㄱ-ㅎㅏ-ㅣ]*")
_ACCENTED = re.compile("[\u00c0-\u058f\u1e00-\u1fff]+")
_SPACED_OUT = re.compile(r"(?<![^\W_])(?:[^\W_][\s.,_*|/·~+-]{1,3}){5,}[^\W_](?![^\W_])")


def folded(text: str) -> str:
    """The text in plain letters: compatibility forms, accents and look-alikes replaced; Hangul stays."""
    if _PLAIN.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFKC", text.translate(_SQUARED))
    # Only Latin, Greek and Cyrillic: Hangul would fall apart into jamo, and kana lose what tells them apart.
    apart = _ACCENTED.sub(lambda match: unicodedata.normalize("NFD", match.group()), plain)
    return "".join(each for each in apart if not unicodedata.combining(each)).translate(_LOOKALIKES)


def has_spaced_out_words(text: str) -> bool:
    """Whether six single letters or more stand in a row with spaces or marks between them, ``l i k e  t h i s``."""
    return bool(_SPACED_OUT.search(text))
