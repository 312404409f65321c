"""The OpenAI-compatible generator against a scripted server: what it asks, and how it takes every bad reply."""

from __future__ import annotations

import json
import socket
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from grading.explanation.errors import ExplanationError, GeneratorRefused, GeneratorReplyInvalid, GeneratorUnavailable
from grading.explanation.generators import ServerGenerator
from tests.unit.explanation_builders import make_feedback


def completion(text: object) -> dict[str, object]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def make_generator(server: HTTPServer, **overrides: str) -> ServerGenerator:
    return ServerGenerator(server.url_for("/v1"), overrides.get("model", "tutor"), overrides.get("api_key", ""))


def test_each_feedback_is_one_completion_in_order(httpserver: HTTPServer) -> None:
    def echo(request: Request) -> Response:
        notes = request.get_json()["messages"][1]["content"]
        return Response(json.dumps(completion(f"seen {notes.splitlines()[0]}")), mimetype="application/json")

    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(echo)
    texts = make_generator(httpserver).rewrite([make_feedback(fraction=0.5), make_feedback(fraction=0.05)])
    assert texts == ["seen Answer: half of it", "seen Answer: not there yet"]


def test_the_request_is_deterministic_and_bounded(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion("Fine."))
    make_generator(httpserver, api_key="secret").rewrite([make_feedback()])
    request, _ = httpserver.log[0]
    body = request.get_json()
    assert (body["model"], body["temperature"], body["n"]) == ("tutor", 0, 1)
    assert body["max_tokens"] <= 120
    assert isinstance(body["seed"], int)
    assert request.headers["Authorization"] == "Bearer secret"


def test_no_key_means_no_authorization(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion("Fine."))
    make_generator(httpserver).rewrite([make_feedback()])
    assert "Authorization" not in httpserver.log[0][0].headers


def test_lines_of_the_reply_become_one(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion(" Good.\n\n Go on.\t"))
    assert make_generator(httpserver).rewrite([make_feedback()]) == ["Good. Go on."]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 301, 204])
def test_a_refusal_names_what_to_check(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data("no", status=status)
    with pytest.raises(GeneratorRefused, match=f"{status}: check EXPLAINER_URL") as caught:
        make_generator(httpserver).rewrite([make_feedback()])
    assert caught.value.permanent


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_overloaded_server_is_unavailable(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data("later", status=status)
    with pytest.raises(GeneratorUnavailable) as caught:
        make_generator(httpserver).rewrite([make_feedback()])
    assert not caught.value.permanent


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": null}]}',
        json.dumps(completion(None)),
        json.dumps(completion(["a"])),
        "\xff\xfe",
    ],
)
def test_what_is_no_completion_is_refused(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(body.encode("latin-1"))
    with pytest.raises(GeneratorReplyInvalid):
        make_generator(httpserver).rewrite([make_feedback()])


def test_a_huge_reply_is_cut_off(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion("x" * 200_000))
    with pytest.raises(GeneratorReplyInvalid, match="more than"):
        make_generator(httpserver).rewrite([make_feedback()])


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        "", status=307, headers={"Location": httpserver.url_for("/elsewhere")}
    )
    httpserver.expect_request("/elsewhere").respond_with_json(completion("stolen"))
    with pytest.raises(GeneratorRefused):
        make_generator(httpserver).rewrite([make_feedback()])
    assert len(httpserver.log) == 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with pytest.raises(GeneratorUnavailable, match="cannot be reached"):
        ServerGenerator(f"http://127.0.0.1:{port}/v1", "tutor").rewrite([make_feedback()])


def test_a_server_that_does_not_answer_is_given_up(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(_: Request) -> Response:
        time.sleep(1.0)
        return Response("late")

    monkeypatch.setattr(ServerGenerator, "READ_SECONDS", 0.2)
    httpserver.expect_request("/v1/chat/completions").respond_with_handler(sleep)
    with pytest.raises(GeneratorUnavailable):
        make_generator(httpserver).rewrite([make_feedback()])


def test_every_error_is_an_explanation_error() -> None:
    for error in (GeneratorRefused, GeneratorUnavailable, GeneratorReplyInvalid):
        assert issubclass(error, ExplanationError)


def test_versions_name_model_and_host_but_no_secret(httpserver: HTTPServer) -> None:
    generator = make_generator(httpserver, api_key="secret")
    assert generator.versions["explainer"] == "tutor@localhost"
    assert "secret" not in str(generator.versions)
    assert generator.languages == {"en", "ko"}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_server_that_fails_three_times_is_left_alone_for_a_minute(httpserver: HTTPServer) -> None:
    clock = Clock()
    generator = ServerGenerator(httpserver.url_for("/v1"), "tutor", now=clock)
    httpserver.expect_request("/v1/chat/completions").respond_with_data("later", status=503)
    for _ in range(5):
        with pytest.raises(GeneratorUnavailable):
            generator.rewrite([make_feedback()])
    assert len(httpserver.log) == 3
    clock.seconds += 61
    with pytest.raises(GeneratorUnavailable, match="503"):
        generator.rewrite([make_feedback()])
    with pytest.raises(GeneratorUnavailable, match="left alone"):
        generator.rewrite([make_feedback()])
    assert len(httpserver.log) == 4, "one try after the rest, and then the next rest"


def test_a_server_that_comes_back_is_asked_as_before(httpserver: HTTPServer) -> None:
    clock = Clock()
    generator = ServerGenerator(httpserver.url_for("/v1"), "tutor", now=clock)
    for _ in range(3):
        httpserver.expect_ordered_request("/v1/chat/completions").respond_with_data("later", status=503)
    for _ in range(3):
        httpserver.expect_ordered_request("/v1/chat/completions").respond_with_json(completion("Fine."))
    httpserver.expect_ordered_request("/v1/chat/completions").respond_with_data("later", status=503)
    httpserver.expect_ordered_request("/v1/chat/completions").respond_with_json(completion("Fine."))
    for _ in range(3):
        with pytest.raises(GeneratorUnavailable):
            generator.rewrite([make_feedback()])
    clock.seconds += 61
    assert generator.rewrite([make_feedback()] * 3) == ["Fine."] * 3
    with pytest.raises(GeneratorUnavailable, match="503"):
        generator.rewrite([make_feedback()])
    assert generator.rewrite([make_feedback()]) == ["Fine."], "one fault alone is no reason to rest"


def test_a_refusal_is_no_reason_to_rest(httpserver: HTTPServer) -> None:
    generator = ServerGenerator(httpserver.url_for("/v1"), "tutor", now=Clock())
    httpserver.expect_request("/v1/chat/completions").respond_with_data("no", status=401)
    for _ in range(5):
        with pytest.raises(GeneratorRefused, match="401"):
            generator.rewrite([make_feedback()])
