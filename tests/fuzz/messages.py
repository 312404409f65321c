"""Launches with up to four faults: edits of claims, header, text, signature, token and form, each one plain data.

An edit of a later step is applied after those of the earlier ones, whatever order they were drawn in; so a message is
what a careless or hostile platform, or somebody between it and us, could really send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from hypothesis import strategies as st

from tests.fake_platform import KEYS, PlatformKey, encoded
from tests.fuzz.values import json_values, raw_literals, scalars, texts

Form = list[tuple[str, str]]
STRANGER = KEYS[0]
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


def edited(
    claims: Mapping[str, Any], header: Mapping[str, Any], key: PlatformKey, state: str, edits: list[Edit]
) -> Form:
    """The form that a browser would post after all edits."""
    ordered = sorted(edits, key=lambda edit: STEPS.index(edit.step))
    parts = {"claim": json.loads(json.dumps(dict(claims))), "header": dict(header)}
    texts_of: dict[str, bytes] = {}
    for edit in ordered:
        if edit.step in parts:
            _edit_object(parts[edit.step], edit)
    for name, value in parts.items():
        texts_of[name] = json.dumps(value).encode()
    for edit in ordered:
        if edit.step == "text":
            texts_of[edit.where[0]] = _edit_text(texts_of[edit.where[0]], edit)
    token = _signed(texts_of["header"], texts_of["claim"], key, [edit for edit in ordered if edit.step == "signature"])
    for edit in ordered:
        if edit.step == "token":
            token = _edit_token(token, edit)
    form: Form = [("id_token", token), ("state", state)]
    for edit in ordered:
        if edit.step == "form":
            form = _edit_form(form, edit)
    return form


# Objects ----------------------------------------------------------------------------------------------------------


def _edit_object(members: dict[str, Any], edit: Edit) -> None:
    *above, last = edit.where
    holder: Any = members
    for name in above:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        return
    present = holder.get(last)
    changes: dict[str, Callable[[], Any]] = {
        "replace": lambda: edit.value,
        "wrap": lambda: [present],
        "nest": lambda: {"id": present},
        "stringify": lambda: json.dumps(present),
        "append": lambda: present + str(edit.value) if isinstance(present, str) else [present, edit.value],
        "swap case": lambda: present.swapcase() if isinstance(present, str) else present,
        "shift": lambda: present + edit.value if isinstance(present, (int, float)) else edit.value,
    }
    if edit.what == "drop":
        holder.pop(last, None)
    elif edit.what == "rename":
        holder[last.upper()] = holder.pop(last, None)
    else:
        holder[last] = changes[edit.what]()


def _edit_text(text: bytes, edit: Edit) -> bytes:
    position = edit.value[0] % max(len(text), 1) if edit.what in {"byte", "cut"} else 0
    match edit.what:
        case "duplicate":
            name, value = edit.value
            return text.replace(b"{", b"{" + json.dumps({name: value})[1:-1].encode() + b", ", 1)
        case "literal":
            return text.replace(b"{", b'{"extra": ' + edit.value.encode() + b", ", 1)
        case "byte":
            return text[:position] + bytes([edit.value[1]]) + text[position + 1 :]
        case "cut":
            return text[:position]
        case "before":
            return edit.value + text
        case "after":
            return text + edit.value
    raise AssertionError(edit)


# Signature and token ----------------------------------------------------------------------------------------------


def _signed(header: bytes, body: bytes, key: PlatformKey, edits: list[Edit]) -> str:
    signing_input = f"{encoded(header)}.{encoded(body)}"
    how = edits[-1].what if edits else "RS256"
    signer = STRANGER if how == "stranger" else key
    if how == "none":
        return f"{signing_input}."
    if how in {"HS256", "HS512"}:
        secret = json.dumps(key.jwk).encode() if edits[-1].value else b"secret" * 8
        return f"{signing_input}.{encoded(jwt.get_algorithm_by_name(how).sign(signing_input.encode(), secret))}"
    algorithm = jwt.get_algorithm_by_name("RS256" if how == "stranger" else how)
    return f"{signing_input}.{encoded(algorithm.sign(signing_input.encode(), signer.private))}"


def _edit_token(token: str, edit: Edit) -> str:
    if edit.what == "replace":
        return edit.value
    if isinstance(edit.value, tuple):
        position = edit.value[0] % max(len(token), 1)
        put, rest = {
            "character": (edit.value[-1], token[position + 1 :]),
            "insert": (edit.value[-1], token[position:]),
            "cut": ("", ""),
        }[edit.what]
        return f"{token[:position]}{put}{rest}"
    return _edit_parts(token, edit)


def _edit_parts(token: str, edit: Edit) -> str:
    parts = token.split(".")
    match edit.what:
        case "drop part":
            del parts[edit.value % len(parts)]
        case "double part":
            parts.insert(edit.value % len(parts), parts[edit.value % len(parts)])
        case "swap parts":
            parts.reverse()
        case "pad":
            parts = [part + "=" * (-len(part) % 4) for part in parts]
        case "standard base64":
            parts = [part.replace("-", "+").replace("_", "/") for part in parts]
        case "unused bits":
            # The last character of base64 has bits that mean nothing: two spellings of one signature.
            parts[-1] = _other_spelling(parts[-1])
    return ".".join(parts)


def _other_spelling(part: str) -> str:
    if len(part) % 4 not in {2, 3}:
        return part
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) ^ 1] if part[-1] in alphabet else part


def _edit_form(form: Form, edit: Edit) -> Form:
    name = edit.where[0]
    match edit.what:
        case "drop":
            return [field for field in form if field[0] != name]
        case "repeat":
            return [*form, (name, edit.value if edit.value is not None else dict(form).get(name, ""))]
        case "replace":
            return [(key, edit.value if key == name else value) for key, value in form]
        case "append":
            return [(key, value + edit.value if key == name else value) for key, value in form]
        case "add":
            return [*form, (name, edit.value)]
    raise AssertionError(edit)


# Strategies -------------------------------------------------------------------------------------------------------


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
