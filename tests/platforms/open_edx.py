"""Open edX as a platform of the matrix: starts ``openedx/server.py`` in its own environment and process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fake_platform import PlatformKey
from tests.platforms.matrix_platform import MatrixPlatform, PlatformRegistration, Role

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / ".venv-openedx"
SERVER = Path(__file__).with_name("openedx") / "server.py"
KEY_ID = "open-edx-1"
_PEOPLE: dict[Role, str] = {"learner": "student", "instructor": "instructor"}


class OpenEdxPlatform(MatrixPlatform):
    """Open edX's LTI consumer with one block of the tool."""

    name = "openedx"

    def __init__(self, folder: Path, tool_url: str) -> None:
        super().__init__()
        if not (ENVIRONMENT / ".installed").exists():
            pytest.fail(
                "Open edX's LTI consumer is not installed, so the tests against it cannot run:"
                " `make test` installs it, or `python tools/install_openedx.py`.",
                pytrace=False,
            )
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (folder / "key.pem").write_bytes(pem)
        self.key = PlatformKey(KEY_ID, private)
        self._log = (folder / "openedx.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [ENVIRONMENT / "bin" / "python", SERVER, folder, tool_url],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            pytest.fail(f"Open edX's LTI consumer did not start:\n{self._log.read()[-2000:]}", pytrace=False)
        self.registration = PlatformRegistration(**json.loads(line))

    def course_url(self, role: Role, *, deep_linking: bool) -> str:
        """What the block's page in the course leads to."""
        return f"{self.registration.issuer}/open?role={_PEOPLE[role]}" + ("&choose=1" if deep_linking else "")

    def stop(self) -> None:
        """End the process."""
        self._browser.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
