"""What makes this platform itself: its RSA key and its admin token, made at the first start and kept in its folder.

The key can be rotated. As on Canvas, the public half of the one before stays published, for messages on their way.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lti1p3platform.registration import Registration

KEY_FILE = "platform.pem"
EARLIER_KEY_FILE = "platform.earlier.pem"
ADMIN_TOKEN_FILE = "admin.token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The platform's private key, its public key in PEM, and the token that guards ``/admin``.

    ``earlier_key`` is the public key of before the last rotation, ``""`` if there was none or it is forgotten.
    """

    private_key: rsa.RSAPrivateKey = field(repr=False)
    public_key: str
    admin_token: str = field(repr=False)
    earlier_key: str = ""

    @property
    def key_set(self) -> dict[str, Any]:
        """The public JWKS that tools verify our messages with."""
        return {"keys": [Registration.get_jwk(key) for key in (self.public_key, self.earlier_key) if key]}


def load_identity(folder: Path) -> Identity:
    """The identity kept in ``folder``; what is missing is made. Files are readable by the owner only."""
    private_key = serialization.load_pem_private_key(_kept(folder / KEY_FILE, _new_private_key).encode(), password=None)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise ValueError(f"{folder / KEY_FILE} holds no RSA key")
    public_pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    token = _kept(folder / ADMIN_TOKEN_FILE, lambda: secrets.token_urlsafe(32))
    earlier = folder / EARLIER_KEY_FILE
    return Identity(
        private_key=private_key,
        public_key=public_pem.decode(),
        admin_token=token.strip(),
        earlier_key=earlier.read_text(encoding="utf-8") if earlier.exists() else "",
    )


def rotated_identity(folder: Path, *, forgets: bool = False) -> Identity:
    """The identity with a new key. The one before stays published, unless the platform ``forgets`` it at once."""
    before = load_identity(folder)
    _replace(folder / EARLIER_KEY_FILE, "" if forgets else before.public_key)
    _replace(folder / KEY_FILE, _new_private_key())
    return load_identity(folder)


def _replace(path: Path, text: str) -> None:
    _draft(path, text).replace(path)


def _draft(path: Path, text: str) -> Path:
    """The text in a file beside ``path`` that only its owner reads."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return draft


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        # Written aside and linked: two processes that start together agree on one content, and none reads half of it.
        draft = _draft(path, make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8")


def _new_private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
