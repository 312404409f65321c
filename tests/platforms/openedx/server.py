"""Open edX as a platform: the HTTP views of its LTI consumer, production code, in a process of their own.

    .venv-openedx/bin/python tests/platforms/openedx/server.py FOLDER TOOL_BASE_URL

FOLDER takes the database and must hold ``key.pem``, the platform's private key. The first line on standard output
says as JSON what a tool must know. ``/open`` stands for the course page with the link: it needs no login.

``lti-consumer-xblock`` is under the AGPL: it runs in this process only and is never imported by the tool. What the
rest of Open edX would answer to it (who is in the course, what the block is worth) is written here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from types import SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

KEY_ID = "open-edx-1"
CLIENT_ID = "open-edx-client"
BLOCK = "block-v1:Example+ML101+2026+type@lti_consumer+block@quiz"
PEOPLE = {
    "instructor": SimpleNamespace(id=3, external_user_id="7e1a40a5-2f3c-4e0a-9d5e-000000000003", name="Ada Okafor"),
    "student": SimpleNamespace(id=11, external_user_id="7e1a40a5-2f3c-4e0a-9d5e-000000000011", name="Mateo Hernández"),
    "guest": SimpleNamespace(id=12, external_user_id="7e1a40a5-2f3c-4e0a-9d5e-000000000012", name="김서연"),
}


class Server(ThreadingMixIn, WSGIServer):
    """One thread a request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Without a line for each request."""

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def configure(folder: Path, address: str) -> None:
    """Settings of Django as Open edX has them, as far as the consumer reads them."""
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="lti_consumer.plugin.urls",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "openedx.sqlite3"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "lti_consumer"],
        # Its tables as they are today, without the twenty-three steps that led to them.
        MIGRATION_MODULES={"lti_consumer": None},
        MIDDLEWARE=["crum.CurrentRequestUserMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USAGE_ID_PATTERN=r"(?P<usage_id>[^/]+)",
        LMS_ROOT_URL=address,
        PLATFORM_NAME="Open edX of a test",
        LOGGING_CONFIG=None,
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


def supply_the_lms() -> None:
    """What the consumer asks of the rest of Open edX."""
    from lti_consumer.plugin import compat

    compat.load_enough_xblock = lambda location: SimpleNamespace(display_name="Quiz", weight=10)
    compat.load_block_as_user = lambda location: SimpleNamespace(
        location=location, has_score=True, accept_grades_past_due=True, is_past_due=lambda: False
    )
    people = {person.external_user_id: person for person in PEOPLE.values()}
    compat.get_user_from_external_user_id = people.__getitem__
    compat.publish_grade = lambda *arguments, **options: None
    compat.get_course_members = lambda course: {
        person.id: {"id": person.id, "username": str(person.id), "name": person.name, "email": "", "roles": [role]}
        for role, person in PEOPLE.items()
    }
    compat.batch_get_or_create_externalids = lambda users: {person.id: person for person in PEOPLE.values()}


def add_tool(folder: Path, tool: str) -> Any:
    """The tool's registration, stored as the administrator of Open edX would."""
    from lti_consumer.models import Lti1p3Passport, LtiConfiguration

    passport = Lti1p3Passport.objects.create(
        lti_1p3_client_id=CLIENT_ID,
        lti_1p3_internal_private_key=(folder / "key.pem").read_text(),
        lti_1p3_internal_private_key_id=KEY_ID,
        lti_1p3_tool_keyset_url=f"{tool}/lti/jwks.json",
    )
    return LtiConfiguration.objects.create(
        version=LtiConfiguration.LTI_1P3,
        config_store=LtiConfiguration.CONFIG_ON_DB,
        location=BLOCK,
        lti_1p3_passport=passport,
        lti_1p3_oidc_url=f"{tool}/lti/login",
        lti_1p3_launch_url=f"{tool}/lti/launch",
        lti_1p3_redirect_uris=[f"{tool}/lti/launch"],
        lti_advantage_deep_linking_enabled=True,
        lti_advantage_deep_linking_launch_url=f"{tool}/lti/launch",
        lti_advantage_enable_nrps=True,
        lti_advantage_ags_mode=LtiConfiguration.LTI_ADVANTAGE_AGS_PROGRAMMATIC,
    )


def add_pages(configuration: Any, registration: dict[str, str]) -> None:
    """``/open`` begins a launch, ``/scores`` lists what came; all else is the consumer's own under ``/api/``."""
    from django.urls import include, path
    from lti_consumer.api import get_lti_1p3_launch_start_url
    from lti_consumer.data import Lti1p3LaunchData
    from lti_consumer.models import LtiAgsScore

    def start(request: HttpRequest) -> HttpResponse:
        role = request.GET.get("role", "student")
        launch = Lti1p3LaunchData(
            user_id=PEOPLE[role].id,
            user_role=role,
            external_user_id=PEOPLE[role].external_user_id,
            name=PEOPLE[role].name,
            config_id=configuration.config_id,
            resource_link_id=request.GET.get("link", BLOCK),
            context_id="course-v1:Example+ML101+2026",
            context_type=["course_offering"],
            context_title="ML101 - Machine Learning",
            message_type="LtiDeepLinkingRequest" if "choose" in request.GET else "LtiResourceLinkRequest",
        )
        return HttpResponseRedirect(get_lti_1p3_launch_start_url(launch))

    def scores(request: HttpRequest) -> HttpResponse:
        return JsonResponse(list(LtiAgsScore.objects.values()), safe=False)

    settings.ROOT_URLCONF = (
        path("api/", include("lti_consumer.plugin.urls")),
        path("open", start),
        path("scores", scores),
        path("registration", lambda request: JsonResponse(registration)),
    )


def main() -> None:
    """Serve until the process is ended."""
    folder, tool = Path(sys.argv[1]), sys.argv[2].rstrip("/")
    with Server(("127.0.0.1", 0), Quiet) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        configure(folder, address)
        supply_the_lms()
        configuration = add_tool(folder, tool)
        api = f"{address}/api/lti_consumer/v1"
        registration = {
            "issuer": address,
            "client_id": CLIENT_ID,
            "deployment_id": "1",
            "auth_login_url": f"{api}/launch/",
            "auth_token_url": f"{api}/token/{configuration.passport_id}",
            "jwks_url": f"{api}/public_keysets/{configuration.passport_id}",
        }
        add_pages(configuration, registration)
        server.set_app(get_wsgi_application())
        sys.stdout.write(json.dumps(registration) + "\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
