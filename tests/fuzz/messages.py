"""Launches with up to four faults: edits of claims, header, text, signature, token and form, each one plain data.

An edit of a later step is applied after those of the earlier ones, whatever order they were drawn in; so a message is
what a careless or hostile platform, or somebody between it and us, could really send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt

from tests.fake_platform import KEYS, PlatformKey, encoded
from tests.fuzz.faults import STEPS, Edit

Form = list[tuple[str, str]]
STRANGER = KEYS[0]


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
