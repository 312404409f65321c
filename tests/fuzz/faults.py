"""Which faults are drawn: where a message may be altered, and how. Each is plain data, so that it can be shrunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import json_values, raw_literals, scalars, texts

STEPS = ("claim", "header", "text", "signature", "token", "form")
LTI = "https://purl.imsglobal.org/spec/lti/claim"
# Where a message may be altered: the claims that platforms send, those inside them, and some that no launch has.
_EVERY = (
    ("iss",),
    ("aud",),
    ("azp",),
    ("sub",),
    ("nonce",),
    ("iat",),
    ("exp",),
    ("nbf",),
    ("jti",),
    ("name",),
    ("given_name",),
    ("email",),
    *((f"{LTI}/{name}",) for name in ("version", "message_type", "deployment_id", "target_link_uri", "roles")),
    *((f"{LTI}/{name}",) for name in ("context", "custom", "for_user", "lis", "lti1p1", "launch_presentation")),
    *((f"{LTI}/context", name) for name in ("id", "title", "label", "type")),
    (f"{LTI}/launch_presentation", "locale"),
)
_SERVICE = "https://purl.imsglobal.org/spec/lti-{}/claim/{}"
_AGS, _NRPS = _SERVICE.format("ags", "endpoint"), _SERVICE.format("nrps", "namesroleservice")
_DL = _SERVICE.format("dl", "deep_linking_settings")
LAUNCH = (
    *_EVERY,
    (f"{LTI}/resource_link",),
    *((f"{LTI}/resource_link", name) for name in ("id", "title")),
    *((f"{LTI}/custom", name) for name in ("quiz_id", "max_attempts", "due_at", "x")),
    (_AGS,),
    *((_AGS, name) for name in ("scope", "lineitem", "lineitems")),
    (_NRPS,),
    (_NRPS, "context_memberships_url"),
    (_DL,),
)
DEEP_LINKING = (
    *_EVERY,
    (_DL,),
    *(
        (_DL, name)
        for name in (
            "deep_link_return_url",
            "accept_types",
            "accept_multiple",
            "accept_lineitem",
            "title",
            "text",
            "data",
        )
    ),
)
_HEADER = tuple(
    (name,) for name in ("alg", "kid", "typ", "jwk", "jku", "x5u", "x5c", "crit", "cty", "enc", "zip", "b64", "p2c")
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One fault: the step it belongs to, where, what is done, and with which value."""

    step: str
    where: tuple[str, ...]
    what: str
    value: Any = None


def edits(claims: Sequence[tuple[str, ...]]) -> st.SearchStrategy[list[Edit]]:
    """Up to four edits of a message with these claims; mostly one."""
    of_step = {
        "claim": _object_edits("claim", claims),
        "header": _object_edits("header", _HEADER),
        "text": _text_edits(claims),
        "signature": _signature_edits(),
        "token": _token_edits(),
        "form": _form_edits(),
    }
    # Claims are drawn most often: there is most to get wrong.
    one = st.sampled_from([*STEPS, *["claim"] * 6]).flatmap(of_step.__getitem__)
    return st.one_of(st.lists(one, min_size=1, max_size=1), st.lists(one, max_size=4))


def _object_edits(step: str, places: Sequence[tuple[str, ...]]) -> st.SearchStrategy[Edit]:
    paths = st.sampled_from(places)
    plain = st.sampled_from(["drop", "wrap", "nest", "stringify", "swap case", "rename"])
    return st.one_of(
        st.builds(Edit, st.just(step), paths, plain),
        st.builds(Edit, st.just(step), paths, st.just("replace"), json_values),
        st.builds(Edit, st.just(step), paths, st.just("replace"), scalars),
        st.builds(Edit, st.just(step), paths, st.just("append"), texts),
        st.builds(
            Edit,
            st.just(step),
            st.sampled_from([("exp",), ("iat",), ("nbf",)]),
            st.just("shift"),
            st.one_of(st.integers(-1_000_000, 1_000_000), st.sampled_from([-31, -29, 29, 31, 0.5, 1e18, -1e18])),
        ),
    )


def _text_edits(claims: Sequence[tuple[str, ...]]) -> st.SearchStrategy[Edit]:
    target = st.sampled_from([("claim",), ("header",)])
    names = st.one_of(st.sampled_from([*(path[-1] for path in claims), "alg", "kid"]), texts.filter(_is_encodable))
    extra = st.sampled_from([b"\xef\xbb\xbf", b" ", b"\n", b"\x00", b"{}", b"//", b",", b"\xff"])
    return st.one_of(
        st.builds(Edit, st.just("text"), target, st.just("duplicate"), st.tuples(names, scalars)),
        st.builds(Edit, st.just("text"), target, st.just("literal"), raw_literals),
        st.builds(Edit, st.just("text"), target, st.just("byte"), st.tuples(st.integers(0, 5000), st.integers(0, 255))),
        st.builds(Edit, st.just("text"), target, st.just("cut"), st.tuples(st.integers(0, 5000))),
        st.builds(Edit, st.just("text"), target, st.sampled_from(["before", "after"]), extra),
    )


def _signature_edits() -> st.SearchStrategy[Edit]:
    how = st.sampled_from(["stranger", "none", "HS256", "HS512", "RS384", "RS512", "PS256"])
    return st.builds(Edit, st.just("signature"), st.just(()), how, st.booleans())


def _token_edits() -> st.SearchStrategy[Edit]:
    place = st.integers(0, 8000)
    character = st.sampled_from(list("AQgw_-.+/= \n\x00é%&;"))
    return st.one_of(
        st.builds(
            Edit,
            st.just("token"),
            st.just(()),
            st.sampled_from(["character", "insert"]),
            st.tuples(place, character),
        ),
        st.builds(Edit, st.just("token"), st.just(()), st.just("cut"), st.tuples(place)),
        st.builds(
            Edit, st.just("token"), st.just(()), st.sampled_from(["drop part", "double part"]), st.integers(0, 3)
        ),
        st.builds(
            Edit,
            st.just("token"),
            st.just(()),
            st.sampled_from(["swap parts", "pad", "standard base64", "unused bits"]),
        ),
        st.builds(Edit, st.just("token"), st.just(()), st.just("replace"), texts.filter(_is_encodable)),
    )


def _form_edits() -> st.SearchStrategy[Edit]:
    names = st.sampled_from([("id_token",), ("state",)])
    values = texts.filter(_is_encodable)
    others = st.sampled_from([("error",), ("error_description",), ("utf8",), ("session_state",), ("iss",)])
    return st.one_of(
        st.builds(Edit, st.just("form"), names, st.just("drop")),
        st.builds(Edit, st.just("form"), names, st.just("repeat"), st.one_of(st.none(), values)),
        st.builds(Edit, st.just("form"), names, st.sampled_from(["replace", "append"]), values),
        st.builds(Edit, st.just("form"), others, st.just("add"), values),
    )


def _is_encodable(text: str) -> bool:
    """Whether a browser could put it into a form."""
    return text.isascii() or ("\ud800" not in text and not any("\ud800" <= character <= "\udfff" for character in text))
