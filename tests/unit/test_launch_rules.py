"""The pure rules of a launch: roles, strict JSON, names and addresses, states, rates, messages out."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lti_tool.launch import errors, id_token, logins
from lti_tool.launch.claims import claims_from_json, strict_json_object
from lti_tool.launch.errors import ClaimWrong, KeyUnknown, LaunchRefused, LaunchTooLarge, TokenMalformed
from lti_tool.launch.launches import is_launch_url, is_return_url, launch_from_claims, one_line
from lti_tool.launch.platforms import Registration, origin_of
from lti_tool.launch.protocol import content_item, json_number, score_message
from lti_tool.launch.rates import MinuteLimit
from lti_tool.launch.roles import Role, is_test_user, role_from_claim

V2 = "http://purl.imsglobal.org/vocab/lis/v2"
LTI = "https://purl.imsglobal.org/spec/lti/claim"
BASE = "https://quiz.example.edu"


def make_registration(**changes: Any) -> Registration:
    values: dict[str, Any] = {
        "id": 1,
        "issuer": "https://moodle.example.edu",
        "name": "Moodle",
        "family": "moodle",
        "client_id": "our-client",
        "login_key": uuid4(),
        "auth_login_url": "https://login.example.edu/auth",
        "auth_token_url": "https://moodle.example.edu/token",
        "jwks_url": "https://moodle.example.edu/keys",
        "created_at": datetime.now(UTC),
        "disabled_at": None,
    }
    return Registration(**(values | changes))


def make_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "https://moodle.example.edu",
        "aud": "our-client",
        "sub": "student-1",
        "iat": now,
        "exp": now + 60,
        "nonce": "n",
        f"{LTI}/version": "1.3.0",
        f"{LTI}/message_type": "LtiResourceLinkRequest",
        f"{LTI}/deployment_id": "7",
        f"{LTI}/target_link_uri": f"{BASE}/lti/launch",
        f"{LTI}/roles": [f"{V2}/membership#Learner"],
        f"{LTI}/context": {"id": "c"},
        f"{LTI}/resource_link": {"id": "l"},
    } | changes


# Roles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ([f"{V2}/membership#Learner"], Role.LEARNER),
        ([f"{V2}/membership#Instructor"], Role.INSTRUCTOR),
        ([f"{V2}/membership#Administrator"], Role.INSTRUCTOR),
        ([f"{V2}/membership#TeachingAssistant"], Role.INSTRUCTOR),
        (["Learner"], Role.LEARNER),
        (["Instructor"], Role.INSTRUCTOR),
        # How Canvas sends a teaching assistant.
        ([f"{V2}/membership#Instructor", f"{V2}/membership/Instructor#TeachingAssistant"], Role.INSTRUCTOR),
        ([f"{V2}/membership/Instructor#Grader"], Role.INSTRUCTOR),
        # The principal role of a sub-role is what stands before the #.
        ([f"{V2}/membership/Learner#Instructor"], Role.LEARNER),
        ([f"{V2}/membership/Mentor#Learner"], Role.NONE),
        ([f"{V2}/membership#Learner", f"{V2}/membership#Instructor"], Role.INSTRUCTOR),
        ([f"{V2}/institution/person#Instructor", f"{V2}/membership#Learner"], Role.LEARNER),
        ([f"{V2}/institution/person#Instructor"], Role.NONE),
        ([f"{V2}/institution/person#Administrator", f"{V2}/system/person#Administrator"], Role.NONE),
        ([f"{V2}/membership#Mentor"], Role.NONE),
        ([f"{V2}/membership#ContentDeveloper"], Role.NONE),
        (["instructor"], Role.NONE),
        (["urn:lti:role:ims/lis/Instructor"], Role.NONE),
        (["https://evil.example/membership#Instructor"], Role.NONE),
        ([f"{V2}/membership#Instructor#Learner"], Role.NONE),
        ([""], Role.NONE),
        ([], Role.NONE),
    ],
)
def test_context_roles_decide(roles: list[str], role: Role) -> None:
    assert role_from_claim(roles) is role


def test_the_pretend_student_is_known_by_a_system_role() -> None:
    assert is_test_user(["http://purl.imsglobal.org/vocab/lti/system/person#TestUser"])
    assert not is_test_user([f"{V2}/membership#Learner"])


# Refusals ---------------------------------------------------------------------------------------------------------


def all_refusals() -> list[type[LaunchRefused]]:
    found, queue = [], [LaunchRefused]
    while queue:
        queue += (each := queue.pop()).__subclasses__()
        found.append(each)
    return found


def test_every_refusal_has_its_own_code_and_two_sentences() -> None:
    classes = all_refusals()
    assert len({each.code for each in classes}) == len(classes)
    for each in classes:
        assert each.code.startswith("LTI-")
        assert 400 <= each.status < 504
        assert each.student_text.endswith(".")
        assert each.instructor_text.endswith((".", "only."))
        assert each.__name__ in (errors.__doc__ or "")


# Strict JSON ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b'"x"', b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b'{"a": NaN}', b'{"a": -Infinity}',
     b'{"a": 1e999}', b'{"a": "\\u0000"}', b'{"\\u0000": 1}', b'{"a": ["\\ud83d"]}', b"\xff", b'{"a": 1} x',
     b'{"a":' * 21 + b"1" + b"}" * 21, b"[" * 50_000, b'{"a": 1' + b"0" * 5000 + b"}"],
)  # fmt: skip
def test_ambiguous_or_harmful_json_is_refused(text: bytes) -> None:
    with pytest.raises(TokenMalformed):
        strict_json_object(text)


def test_ordinary_json_is_read() -> None:
    assert strict_json_object('{"a": [1, 2.5, null, "é😀"], "b": {}}'.encode()) == {"a": [1, 2.5, None, "é😀"], "b": {}}


def test_a_wrong_claim_is_named_and_its_value_is_not() -> None:
    with pytest.raises(ClaimWrong) as refusal:
        claims_from_json(make_claims(sub=["very-private"]))
    assert "sub" in refusal.value.log_detail
    assert "very-private" not in refusal.value.log_detail


def test_null_is_as_good_as_absent_for_what_is_optional() -> None:
    claims = claims_from_json(make_claims(name=None, azp=None, nbf=None, **{f"{LTI}/custom": None}))
    launch = launch_from_claims(
        claims, registration=make_registration(), target_link_uri=f"{BASE}/lti/launch", base_url=BASE
    )
    assert (launch.name, dict(launch.custom), launch.ags) == (None, {}, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# Without iat a token does not get as far as being read.
FUZZED = [*sorted(make_claims().keys() - {"iat"}), f"{LTI}/custom", f"{LTI}/launch_presentation"]


@settings(max_examples=300, deadline=None)
@given(claim=st.sampled_from(FUZZED), value=JSON)
def test_any_value_in_any_claim_is_taken_or_refused_but_never_breaks(claim: str, value: Any) -> None:
    try:
        claims = claims_from_json(strict_json_object(json.dumps(make_claims(**{claim: value})).encode()))
        launch_from_claims(
            claims, registration=make_registration(), target_link_uri=f"{BASE}/lti/launch", base_url=BASE
        )
    except LaunchRefused as refusal:
        assert refusal.status in {400, 403, 422}  # noqa: PT017 - not raising is right too


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_=-]{0,40}){0,4}", fullmatch=True))
def test_any_text_as_a_token_is_refused_but_never_breaks(text: str) -> None:
    with pytest.raises(LaunchRefused):
        id_token.read_token(text)


def test_a_token_over_its_limit_is_not_even_split() -> None:
    with pytest.raises(LaunchTooLarge):
        id_token.read_token("a" * (id_token.MAX_TOKEN_BYTES + 1))


# Keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_chosen_by_its_name() -> None:
    keys = [{"kid": "a", "kty": "RSA"}, {"kid": "b", "kty": "RSA", "use": "sig", "alg": "RS256"}]
    assert id_token.select_jwk({"keys": keys}, "b") == keys[1]
    assert id_token.select_jwk({"keys": keys}, "c") is None
    assert id_token.select_jwk({"keys": [keys[0], keys[0]]}, "a") == keys[0]


@pytest.mark.parametrize(
    "keys",
    [
        [{"kid": "a", "kty": "RSA", "n": "1"}, {"kid": "a", "kty": "EC"}],
        [{"kid": "a", "kty": "RSA", "n": "1"}, {"kid": "a", "kty": "RSA", "n": "2"}],
        [{"kid": "a", "kty": "oct", "k": "secret"}],
        [{"kid": "a", "kty": "RSA", "use": "enc"}],
        [{"kid": "a", "kty": "RSA", "alg": "RS512"}],
    ],
)
def test_an_ambiguous_or_unfit_key_is_refused(keys: list[dict[str, str]]) -> None:
    with pytest.raises(KeyUnknown):
        id_token.select_jwk({"keys": keys}, "a")


# Addresses and names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{BASE}/lti/launch", True),
        (f"{BASE}/lti/launch?quiz=1", True),
        (f"{BASE}/lti/launch/", False),
        (f"{BASE}/lti/launchx", False),
        (f"{BASE}/lti/launch#x", False),
        (f"{BASE}/lti/launch?q=#x", False),
        (f"{BASE}/lti/login", False),
        (f"{BASE}.evil.example/lti/launch", False),
        (f"{BASE}@evil.example/lti/launch", False),
        ("http://quiz.example.edu/lti/launch", False),
        ("//quiz.example.edu/lti/launch", False),
        ("javascript:alert(1)", False),
        (f"{BASE}/lti/launch?q=\n", False),
        ("", False),
    ],
)
def test_which_targets_are_ours(url: str, expected: bool) -> None:
    assert is_launch_url(url, BASE) is expected


@pytest.mark.parametrize(
    ("url", "family", "expected"),
    [
        ("https://moodle.example.edu/return?a=1", "moodle", True),
        ("https://login.example.edu/return", "moodle", True),
        ("https://moodle.example.edu:443/return", "moodle", True),
        ("https://moodle.example.edu:8443/return", "moodle", False),
        ("http://moodle.example.edu/return", "moodle", False),
        ("https://evil.example/", "moodle", False),
        ("https://evil.example/", "other", False),
        ("https://school.example/", "canvas", True),
        ("http://school.example/", "canvas", False),
        ("javascript:alert(1)", "canvas", False),
        ("https://user@school.example/", "canvas", False),
        ('https://moodle.example.edu/"><script>', "moodle", False),
        ("https://moodle.example.edu:port/", "moodle", False),
    ],
)
def test_which_addresses_may_receive_content(url: str, family: str, expected: bool) -> None:
    assert is_return_url(url, make_registration(family=family)) is expected


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/x", "https://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("urn:uuid:1", ""),
        ("https://", ""),
        ("https://a.example:x/", ""),
        # What a header would read as more than a host, or cannot hold.
        ("https://a.example;script-src-elem https:/x", ""),
        ("https://a.example,https:/", ""),
        ("https://a\x01b/", ""),
        ("https://evil.example\\.a.example/", ""),
        ("https://例え.example/", ""),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("family", "role", "link_id", "is_taken"),
    [
        ("canvas", "Learner", "course", False),
        ("canvas", "Instructor", "course", True),
        ("canvas", "Learner", "placement", True),
        ("moodle", "Learner", "course", True),
    ],
)
def test_a_student_of_canvas_cannot_choose_a_quiz_by_an_address(
    family: str, role: str, link_id: str, is_taken: bool
) -> None:
    quiz_id = uuid4()
    address = f"{BASE}/lti/launch?quiz={quiz_id}"
    claims = claims_from_json(
        make_claims(
            **{
                f"{LTI}/target_link_uri": address,
                f"{LTI}/roles": [f"{V2}/membership#{role}"],
                f"{LTI}/context": {"id": "course"},
                f"{LTI}/resource_link": {"id": link_id},
            }
        )
    )
    registration = make_registration(family=family)
    launch = launch_from_claims(claims, registration=registration, target_link_uri=address, base_url=BASE)
    assert launch.quiz_id == (quiz_id if is_taken else None)


def test_text_of_a_platform_becomes_one_harmless_line() -> None:
    assert one_line(" a\n\tb\x00 \u202ec\u2066 ") == "a b c"
    assert one_line("x" * 1_000_000) == "x" * 300
    assert one_line("김 민준 😀") == "김 민준 😀"
    assert one_line("A\ud800\udfffB \ud83d") == "A B"


# States and rates -------------------------------------------------------------------------------------------------


def test_a_state_belongs_to_the_browser_with_its_cookie() -> None:
    assert logins.is_of_this_browser("abc.hints", "abc")
    assert not logins.is_of_this_browser("abc.hints", "abd")
    assert not logins.is_of_this_browser("abc.hints", "")
    assert not logins.is_of_this_browser("abc.hints", None)


@pytest.mark.parametrize("state", ["abc", "abc.", "abc.!!", "abc.e30", "abc.WzFd"])
def test_a_state_without_hints_has_none(state: str) -> None:
    assert logins.hints_of(state) is None


def test_a_limit_counts_each_key_by_itself_and_forgets_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("lti_tool.launch.rates.time.monotonic", lambda: now)
    limit = MinuteLimit(2)
    assert [limit.allows("a"), limit.allows("a"), limit.allows("a")] == [True, True, False]
    assert limit.allows("b")
    now += 61
    assert limit.allows("a")


# Messages out -----------------------------------------------------------------------------------------------------


@given(st.decimals(min_value=0, max_value=10_000, allow_nan=False, places=6))
def test_numbers_have_four_decimals_and_zero_stays_zero(value: Decimal) -> None:
    number = json_number(value)
    assert abs(Decimal(repr(number)) - value) <= Decimal("0.00005")
    assert len(repr(number).partition(".")[2]) <= 4
    assert isinstance(number, int) == (number == int(number))


def test_a_score_of_zero_is_in_the_message() -> None:
    message = json.loads(
        score_message(
            user_sub="s",
            score_given=Decimal(0),
            score_maximum=Decimal("1"),
            comment="",
            timestamp=datetime(2026, 1, 1, tzinfo=UTC),
            activity_progress="Completed",
            grading_progress="FullyGraded",
            more={},
        )
    )
    assert message["scoreGiven"] == 0
    assert "comment" not in message


def test_a_content_item_has_no_empty_fields() -> None:
    item = content_item(title="Q", url="https://a.example/", custom={})
    assert item == {"type": "ltiResourceLink", "title": "Q", "url": "https://a.example/"}
