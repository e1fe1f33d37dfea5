from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.adapters.registry.auth import Authenticator, Challenge, parse_challenges
from openhands_recipes.adapters.registry.credentials import Credentials
from openhands_recipes.adapters.registry.faults import Answer
from openhands_recipes.adapters.registry.wire import Request
from openhands_recipes.errors import RegistryError

HTTPS = "https://registry.example.com"
SCOPES = frozenset({"repository:team/x:pull,push"})
ME = Credentials("me", "s3cret", "here")


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Basic realm="all of it"', (Challenge("basic", "all of it"),)),
        (
            'Bearer realm="https://t.example.com/token",service="a,b=c",scope="repository:x:pull"',
            (Challenge("bearer", "https://t.example.com/token", "a,b=c"),),
        ),
        (
            'Negotiate, Basic realm="a \\"quoted\\" one", bearer Realm=https://t , service = x',
            (
                Challenge("negotiate"),
                Challenge("basic", 'a "quoted" one'),
                Challenge("bearer", "https://t", "x"),
            ),
        ),
        ("", ()),
        ('realm="nobody asked"', ()),
    ],
)
def test_challenges_are_read_as_servers_write_them(header: str, challenges: tuple[Challenge, ...]) -> None:
    assert parse_challenges(header) == challenges


@given(st.text(max_size=60))
def test_no_header_breaks_the_reading(header: str) -> None:
    parse_challenges(header)


def authenticator(
    known: Credentials | None, *answers: Answer
) -> tuple[Authenticator, list[tuple[Request, str | None]]]:
    asked: list[tuple[Request, str | None]] = []
    waiting = iter(answers)

    def fetch(request: Request, authorization: str | None) -> Answer:
        asked.append((request, authorization))
        return next(waiting)

    return Authenticator(HTTPS, find=lambda: known, fetch=fetch), asked


def unauthorized(challenge: str) -> Answer:
    return Answer("HEAD", f"{HTTPS}/v2/team/x/manifests/1", 401, {"www-authenticate": challenge})


def token(body: bytes) -> Answer:
    return Answer("GET", "https://t.example.com/token", 200, {}, body)


BEARER = 'Bearer realm="https://t.example.com/token?a=b",service="s"'


def test_nobody_is_told_who_we_are_before_asking() -> None:
    auth, _ = authenticator(ME)
    assert auth.authorization(SCOPES) is None


def test_basic_is_answered_with_user_and_password() -> None:
    auth, _ = authenticator(ME)
    assert auth.objected(unauthorized('Basic realm="x"'), SCOPES, sent=None)
    header = auth.authorization(SCOPES)
    assert header == "Basic bWU6czNjcmV0"
    assert not auth.objected(unauthorized('Basic realm="x"'), SCOPES, sent=header), (
        "a wrong password stays wrong"
    )


def test_basic_without_credentials_is_not_tried_again() -> None:
    auth, _ = authenticator(None)
    assert not auth.objected(unauthorized('Basic realm="x"'), SCOPES, sent=None)
    assert auth.authorization(SCOPES) is None


def test_a_token_is_kept_per_scopes_until_it_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    auth, asked = authenticator(
        ME,
        token(b'{"token":"one","expires_in":100}'),
        token(b'{"access_token":"two"}'),
        token(b'{"token":"three"}'),
    )
    auth.objected(unauthorized(BEARER), SCOPES, sent=None)
    assert auth.authorization(SCOPES) == "Bearer one"
    clock[0] = 89
    assert auth.authorization(SCOPES) == "Bearer one"
    assert auth.authorization(SCOPES | {"repository:team/y:pull"}) == "Bearer two"
    clock[0] = 91
    assert auth.authorization(SCOPES) == "Bearer three"
    both = "scope=repository%3Ateam%2Fx%3Apull%2Cpush"
    assert [request.url.partition("service=s&")[2] for request, _ in asked] == [
        both,
        f"{both}&scope=repository%3Ateam%2Fy%3Apull",
        both,
    ]
    assert asked[0][0].url.startswith("https://t.example.com/token?a=b&service=s&")
    assert asked[0][1] == "Basic bWU6czNjcmV0"


def test_an_anonymous_user_gets_a_token_too() -> None:
    auth, asked = authenticator(None, token(b'{"token":"public"}'))
    auth.objected(unauthorized(BEARER), SCOPES, sent=None)
    assert auth.authorization(SCOPES) == "Bearer public"
    assert asked[0][1] is None


def test_bearer_is_preferred_to_basic() -> None:
    auth, _ = authenticator(ME, token(b'{"token":"one"}'))
    auth.objected(unauthorized(f'Basic realm="x", {BEARER}'), SCOPES, sent=None)
    assert auth.authorization(SCOPES) == "Bearer one"


@pytest.mark.parametrize(
    ("header", "named"), [("Negotiate, Digest realm=x", "digest, negotiate"), ("", "nothing")]
)
def test_an_unknown_way_in_is_named(header: str, named: str) -> None:
    auth, _ = authenticator(ME)
    with pytest.raises(RegistryError, match=f"of a kind we do not know .{named}."):
        auth.objected(unauthorized(header), SCOPES, sent=None)


@pytest.mark.parametrize(
    ("realm", "message"),
    [
        ("http://t.example.com/token?secret=1", "our credentials sent to a token server in clear text"),
        ("ftp://t.example.com", "names no usable token server"),
        ("", "names no usable token server"),
    ],
)
def test_credentials_go_to_no_unsafe_place(realm: str, message: str) -> None:
    auth, asked = authenticator(ME)
    auth.objected(unauthorized(f'Bearer realm="{realm}"'), SCOPES, sent=None)
    with pytest.raises(RegistryError, match=message) as caught:
        auth.authorization(SCOPES)
    assert not asked
    assert "secret=1" not in str(caught.value)
