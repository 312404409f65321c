"""The tool's own secret: signs form tokens, encrypts private keys at rest. It never lies in the database."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.settings import Settings
from lti_tool.errors import NotConfigured

#: Name of the secret in systemd's key store (systemd.exec(5), Credentials).
CREDENTIAL = "mlquiz-secret-key"


def app_secret(settings: Settings) -> str:
    """``SECRET_KEY``, what systemd keeps for the service, or the content of ``DATA_DIR/secret.key``, made if missing.

    systemd's key store gives ``mlquiz-secret-key`` (``LoadCredentialEncrypted=``) as a file that only the service
    can read. Raises :class:`NotConfigured` where that file cannot be made or read, or is readable by others.
    """
    given = settings.secret_key.get_secret_value()
    if given:
        return given
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / CREDENTIAL).exists():
        return _read(Path(credentials) / CREDENTIAL)
    return _kept_secret(settings.data_path / "secret.key")


def cipher(secret: str, purpose: str) -> Fernet:
    """What encrypts at rest, with a key of its own for each ``purpose`` (HKDF, RFC 5869)."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"mlquiz {purpose} v1".encode())
    return Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
        if path.stat().st_mode & 0o077:
            raise NotConfigured(f"{path} is readable by others: run `chmod 600 {path}`, then start again")
    except OSError as error:
        raise NotConfigured(
            f"{path} cannot be read or made ({error.strerror}): set SECRET_KEY or SECRET_KEY_FILE"
        ) from error
    return _read(path)


def _read(path: Path) -> str:
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfigured(f"{path} cannot be read ({error}): set SECRET_KEY or SECRET_KEY_FILE") from error
    if len(secret) < 32:
        raise NotConfigured(f"{path} is damaged: restore it from a backup (it encrypts the tool's private keys)")
    return secret


def _make(path: Path) -> None:
    """Several processes may start at once: the file appears whole, and the first one wins."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
