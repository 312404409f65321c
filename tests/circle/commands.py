"""The one who runs the tool: types ``mlquiz`` commands, each a process with the settings of the running tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import Settings
from lti_tool.embedded import Servers
from lti_tool.worker import model_threads

REASON = "The circle goes round with a model that nobody will use"


class CommandFailed(Exception):
    """A command ended otherwise than it should; the message has what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended: ``said`` is what it told people, ``printed`` what it told programs."""

    status: int
    printed: str
    said: str

    @property
    def facts(self) -> Any:
        """What it printed with ``--json``."""
        return json.loads(self.printed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """``folder`` is where datasets, runs and files go; ``is_thinned`` as in :class:`tests.circle.size.Size`."""

    settings: Settings
    servers: Servers
    folder: Path
    is_thinned: bool = False

    def types(self, *words: str) -> Done:
        """``mlquiz WORDS``; :class:`CommandFailed` where it does not end with 0."""
        done = self.tries(*words)
        if done.status:
            raise CommandFailed(f"mlquiz {' '.join(words[:2])} ended with {done.status}: {done.said[-1500:]}")
        return done

    def tries(self, *words: str) -> Done:
        """``mlquiz WORDS``, however it ends."""
        module = "tests.circle.few_cases" if self.is_thinned and words[:2] == ("models", "promote") else "lti_tool"
        environment = {
            **os.environ,
            **self.settings.as_environment(),
            "DATA_DIR": str(self.settings.data_path),
            "DATABASE_URL": self.servers.database,
            "DATABASE_OWNER_URL": self.servers.database_owner,
            "BROKER_URL": self.servers.broker,
            "HF_HUB_OFFLINE": "1",
            # As for runs that are started on a page: threads that wait for workers' threads take many times as long.
            "OMP_NUM_THREADS": str(model_threads(self.settings)),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [sys.executable, "-m", module, *words]
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)
        return Done(status=done.returncode, printed=done.stdout, said=done.stderr)

    def promotes(self, digest: str, data: Path) -> tuple[str, ...]:
        """Have a version judged and put in charge; the gate's reasons where it had to be forced, else none."""
        judged = self.tries("models", "promote", digest, "--data", str(data), "--json")
        if judged.status == 0:
            return ()
        if "Not promoted: " not in judged.said:
            raise CommandFailed(f"mlquiz models promote ended with {judged.status}: {judged.said[-1500:]}")
        self.types("models", "promote", digest, "--force", "--reason", REASON, "--json")
        return (" ".join(judged.said.split("Not promoted: ")[1].split(". Train it again")[0].split()),)
