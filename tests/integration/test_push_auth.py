"""Proving who we are to real registries: Basic, and tokens from a token server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from openhands_recipes.adapters.registry.client import FindCredentials
from openhands_recipes.adapters.registry.credentials import Credentials
from openhands_recipes.errors import RegistryError
from openhands_recipes.ports import PushOrder
from tests.integration.registry_server import (
    Answer,
    Proxy,
    RunningRegistry,
    Seen,
    Trouble,
    basic_auth,
    push,
    running_registry,
)
from tests.integration.sample_image import Sample, make_sample, noise, tree_layer
from tests.integration.token_server import Asked, TokenServer

USER, PASSWORD = "alice", "correct horse battery staple"
PUSH = "repository:team/sample:pull,push"


def known(secret: str = PASSWORD, **more: str) -> FindCredentials:
    credentials = Credentials(user=USER, secret=secret, origin="/home/alice/.docker/config.json", **more)  # type: ignore[arg-type]
    return lambda *_: credentials


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(tmp_path / "layout", [("base/debian/00", tree_layer({"etc/hello": noise(1000, 1)}))])


@pytest.fixture
def order(sample: Sample) -> PushOrder:
    return PushOrder("team/sample", (sample.image,), ("1.0.0",))


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[RunningRegistry]:
    with running_registry(
        tmp_path / "registry", auth=basic_auth(tmp_path / "auth", USER, PASSWORD)
    ) as registry:
        yield registry


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with TokenServer(tmp_path / "tokens", users={USER: PASSWORD}) as server:
        yield server


@pytest.fixture
def guarded(tmp_path: Path, tokens: TokenServer) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path / "registry", auth=tokens.auth) as registry:
        yield registry


# --- Basic -------------------------------------------------------------------------------------------


def test_user_and_password_open_a_registry(locked: RunningRegistry, sample: Sample, order: PushOrder) -> None:
    with Proxy(locked.host) as proxy:
        push(proxy.host, sample, order, credentials=known())
        first = len(proxy.seen)
        again = push(proxy.host, sample, order, credentials=known())
    assert again.uploaded_bytes == 0
    assert [(seen.method, seen.status, bool(seen.authorization)) for seen in proxy.seen[first:]] == [
        ("HEAD", 401, False),
        ("HEAD", 200, True),
    ]


def test_without_a_login_the_error_says_how_to_log_in(
    locked: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    with pytest.raises(RegistryError) as caught:
        push(locked.host, sample, order)
    assert str(caught.value) == (
        f"{locked.host} wants a login for team/sample\n"
        f"  --> HEAD http://{locked.host}/v2/team/sample/manifests/1.0.0\n"
        f"  hint: log in with `docker login {locked.host}`, "
        "or set OHR_REGISTRY_USER and OHR_REGISTRY_PASSWORD"
    )
    assert caught.value.exit_code == 3


def test_a_wrong_password_is_refused_by_name_and_tried_once(
    locked: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    with Proxy(locked.host) as proxy, pytest.raises(RegistryError) as caught:
        push(proxy.host, sample, order, credentials=known("guess"))
    assert caught.value.message == f"{proxy.host} refused user 'alice' (from /home/alice/.docker/config.json)"
    assert len(proxy.seen) == 2
    assert "guess" not in str(caught.value)


# --- Bearer ------------------------------------------------------------------------------------------


def test_one_token_serves_a_whole_push(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    push(guarded.host, sample, order, credentials=known())
    assert tokens.asked == [Asked("GET", frozenset({PUSH}), USER)]


def test_an_unchanged_image_costs_one_head_after_authentication(
    guarded: RunningRegistry, sample: Sample, order: PushOrder
) -> None:
    push(guarded.host, sample, order, credentials=known())
    with Proxy(guarded.host) as proxy:
        report = push(proxy.host, sample, order, credentials=known())
    assert [(seen.method, seen.status) for seen in proxy.seen] == [("HEAD", 401), ("HEAD", 200)]
    assert report.requests == 3, "the question, the token, the one HEAD"


def test_a_mount_asks_for_the_right_to_read_its_source(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder, tmp_path: Path
) -> None:
    push(guarded.host, sample, order, credentials=known())
    layer = sample.image.layers[0]
    child = make_sample(
        tmp_path / "child",
        [
            ("base/debian/00", tree_layer({"etc/hello": noise(1000, 1)})),
            ("child/files", tree_layer({"c": b"c"})),
        ],
    )
    report = push(
        guarded.host,
        child,
        PushOrder("team/child", (child.image,), ("1.0.0",), mount_from={layer.digest: ("team/sample",)}),
        credentials=known(),
    )
    assert report.mounted_bytes == layer.size
    assert frozenset({"repository:team/child:pull,push", "repository:team/sample:pull"}) in {
        asked.scopes for asked in tokens.asked
    }


def test_a_source_we_may_not_read_is_not_mounted_but_the_image_arrives(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample
) -> None:
    tokens.allows = lambda scope: "secret" not in scope
    layer = sample.image.layers[0]
    report = push(
        guarded.host,
        sample,
        PushOrder("team/sample", (sample.image,), ("1.0.0",), mount_from={layer.digest: ("team/secret",)}),
        credentials=known(),
    )
    assert report.mounted_bytes == 0
    assert report.uploaded_bytes == sample.image.size


def test_an_identity_token_is_exchanged_by_oauth2(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    tokens.refresh_tokens["long lived secret"] = USER
    push(guarded.host, sample, order, credentials=known("long lived secret", kind="identity-token"))
    assert tokens.asked == [Asked("POST", frozenset({PUSH}), USER, "refresh_token")]


def test_a_registry_token_is_used_as_it_is(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    token = tokens.token(USER, frozenset({PUSH}))
    push(guarded.host, sample, order, credentials=known(token, kind="registry-token"))
    assert tokens.asked == []
    with pytest.raises(RegistryError, match="refused user 'alice'"):
        push(guarded.host, sample, order, credentials=known("stale", kind="registry-token"))


def test_a_token_that_is_refused_is_renewed_once(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    challenge = f'Bearer realm="{tokens.realm}",service="registry of the tests",scope="{PUSH}"'
    refused: list[Seen] = []

    def plan(seen: Seen) -> Trouble:
        if seen.method == "POST" and not refused:
            refused.append(seen)
            return Answer(401, {"WWW-Authenticate": challenge})
        return None

    with Proxy(guarded.host, plan) as proxy:
        push(proxy.host, sample, order, credentials=known())
    assert len(tokens.asked) == 2


def test_a_wrong_password_at_the_token_server_is_refused_by_name(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    with pytest.raises(RegistryError) as caught:
        push(guarded.host, sample, order, credentials=known("guess"))
    assert (
        caught.value.message == f"{guarded.host} refused user 'alice' (from /home/alice/.docker/config.json)"
    )
    assert caught.value.where == f"GET {tokens.realm}"
    assert len(tokens.asked) == 1


def test_a_token_without_the_right_to_push_is_a_refusal(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    tokens.allows = lambda _: False
    with pytest.raises(RegistryError) as caught:
        push(guarded.host, sample, order, credentials=known())
    assert caught.value.message == f"{guarded.host} does not let user 'alice' push to team/sample"
    assert len(tokens.asked) == 2, "asked again once, in case the first token was old"


def test_a_token_server_that_fails_is_asked_again(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder
) -> None:
    answers = iter([(503, b""), (429, b"")])
    tokens.answer = lambda: next(answers, None)
    push(guarded.host, sample, order, credentials=known())
    assert len(tokens.asked) == 3


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"token":""}'], ids=str)
def test_a_token_server_without_a_token_is_an_error(
    guarded: RunningRegistry, tokens: TokenServer, sample: Sample, order: PushOrder, body: bytes
) -> None:
    tokens.answer = lambda: (200, body)
    with pytest.raises(RegistryError, match="the token server answered without a token"):
        push(guarded.host, sample, order, credentials=known())


def test_no_secret_is_ever_logged_or_shown(
    guarded: RunningRegistry,
    tokens: TokenServer,
    sample: Sample,
    order: PushOrder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Proxy(guarded.host) as proxy:
        push(proxy.host, sample, order, credentials=known())
    sent = [seen.authorization.removeprefix("Bearer ") for seen in proxy.seen if seen.authorization]
    assert sent
    tokens.users.clear()
    with pytest.raises(RegistryError) as caught:
        push(guarded.host, sample, PushOrder("team/sample", (sample.image,), ("2",)), credentials=known())
    told = caplog.text + str(caught.value) + repr(caught.value) + repr(known()("", ""))
    for secret in (PASSWORD, *sent):
        assert secret not in told
