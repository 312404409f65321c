"""The LTI tool: ``create_app`` makes the web application, ``lti_tool.worker`` the Celery one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line starts quicker without Flask
    from flask import Flask

    from config.settings import Settings

__version__ = "0.1.0"


def create_app(settings: Settings | None = None) -> Flask:
    """The web application. The database pool opens with the first connection, so a server may fork before."""
    from flask import Flask
    from werkzeug.middleware.proxy_fix import ProxyFix

    from config.settings import load_settings
    from lti_tool import observability, web, worker
    from lti_tool.admin.views import register as register_admin
    from lti_tool.db import Database
    from lti_tool.gradebook.views import blueprint as gradebook
    from lti_tool.launch.registration.views import register as register_registration
    from lti_tool.launch.views import register as register_launch
    from lti_tool.questions.views import blueprint as questions
    from lti_tool.secrets import app_secret
    from lti_tool.submissions.views import blueprint as submissions

    settings = settings or load_settings()
    observability.configure(settings)
    worker.configure(settings)
    app = Flask(__name__)
    database = Database(settings.database_url.get_secret_value(), max_connections=settings.web_threads)
    app.extensions["mlquiz"] = web.Services(settings=settings, database=database, secret=app_secret(settings))
    web.init_app(app)
    register_launch(app)
    register_registration(app)
    register_admin(app)
    app.register_blueprint(questions)
    app.register_blueprint(submissions)
    app.register_blueprint(gradebook)
    app.register_blueprint(observability.blueprint)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)
    return app
