"""The checks of explanations on texts that people wrote for them: caught by kind of error, good ones refused by reason.

The seen half is the one that the checks were mended with; the unseen half says how they do on texts of others.
"""

from __future__ import annotations

from collections import Counter

from tests.explanation_texts import HALVES, JudgedText, judged_texts


def measure() -> dict[str, object]:
    """Shares and tables of each half."""
    return {half: _figures(judged_texts(half)) for half in HALVES}


def _figures(texts: tuple[JudgedText, ...]) -> dict[str, object]:
    good = [text for text in texts if text.planted is None]
    planted = [text for text in texts if text.planted is not None]
    caught = [text for text in planted if text.problems]
    refused = [text for text in good if text.problems]
    there = Counter(str(text.planted) for text in planted)
    found = Counter(str(text.planted) for text in caught)
    named = Counter(str(text.planted) for text in caught if text.planted in {each.kind for each in text.problems})
    return {
        "planted_errors": len(planted),
        "caught_share": len(caught) / len(planted),
        "called_by_their_name_share": named.total() / len(planted),
        "caught_of_each_kind": {kind: f"{found[kind]}/{count}" for kind, count in sorted(there.items())},
        "good_texts": len(good),
        "refused_share": len(refused) / len(good),
        "refused_because_of": dict(Counter(kind for text in refused for kind in {each.kind for each in text.problems})),
    }
