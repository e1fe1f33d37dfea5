"""A registry that fails, lies or hangs up: what a push makes of it, and what it never does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.adapters.registry.connection import Connection
from openhands_recipes.adapters.registry.repository import Habits
from openhands_recipes.errors import RegistryError, VerificationError
from openhands_recipes.model.image import MANIFEST_TYPE, Image
from openhands_recipes.ports import PushOrder
from tests.integration.registry_server import (
    HASTY,
    Answer,
    Change,
    Cut,
    CutAnswer,
    Plan,
    Proxy,
    RunningRegistry,
    Seen,
    Slow,
    Trouble,
    free_port,
    push,
    running_registry,
)
from tests.integration.sample_image import Sample, make_sample, noise, tree_layer

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@dataclass
class Scene:
    """A registry, an image for it, and whatever stands between the two."""

    registry: RunningRegistry
    sample: Sample
    order: PushOrder
    exits: ExitStack

    @property
    def large(self) -> int:
        return self.sample.image.layers[-1].size

    def push(self, plan: Plan | None = None, *, limits: Limits | None = None) -> Proxy:
        proxy = self.proxy(plan)
        push(proxy.host, self.sample, self.order, limits=limits)
        return proxy

    def proxy(self, plan: Plan | None = None) -> Proxy:
        return self.exits.enter_context(Proxy(self.registry.host, plan))

    def use(self, *layers: tuple[str, bytes]) -> None:
        """Push another image from now on."""
        folder = self.sample.folder.with_name(f"{self.sample.folder.name}-other")
        self.sample = make_sample(folder, layers)
        self.order = replace(self.order, images=(self.sample.image,))

    def is_served(self, image: Image | None = None) -> bool:
        content = self.registry.get(f"{self.order.repository}/manifests/1.0.0", MANIFEST_TYPE)
        return content == (image or self.sample.image).manifest


@pytest.fixture
def scene(registry: RunningRegistry, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    sample = make_sample(
        tmp_path / "layout",
        [
            ("base/debian/00", tree_layer({"etc/hello": b"hello\n"})),
            ("base/debian/01", tree_layer({"x": noise(5 * MIB, 1)})),
        ],
    )
    repository = "team/" + "-".join(re.findall("[a-z0-9]+", request.node.name.lower()))
    with ExitStack() as exits:
        yield Scene(registry, sample, PushOrder(repository, (sample.image,), ("1.0.0",)), exits)


def chunky() -> Limits:
    return Limits(patience=HASTY, habits=Habits(chunk=MIB, small=MIB))


def every(step: int, trouble: Trouble, when: Callable[[Seen], bool] = lambda _: True) -> Plan:
    """Trouble for every so many requests that are meant."""
    count = 0

    def plan(seen: Seen) -> Trouble:
        nonlocal count
        count += when(seen)
        return trouble if when(seen) and count % step == 0 else None

    return plan


def once(at: int, trouble: Trouble, when: Callable[[Seen], bool] = lambda _: True) -> Plan:
    """Trouble for one request of those that are meant."""
    count = 0

    def plan(seen: Seen) -> Trouble:
        nonlocal count
        count += when(seen)
        return trouble if when(seen) and count == at else None

    return plan


def from_request(at: int, trouble: Trouble) -> Plan:
    """Trouble for a request and all after it."""
    count = 0

    def plan(_: Seen) -> Trouble:
        nonlocal count
        count += 1
        return trouble if count >= at else None

    return plan


def is_patch(seen: Seen) -> bool:
    return seen.method == "PATCH"


# --- passing trouble ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        (5, Answer(500)),
        (5, Answer(502)),
        (5, Answer(503, {"Retry-After": "0"})),
        (5, Answer(429, {"Retry-After": "0"}, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow"}]}')),
        (5, Cut(forward=False)),
        (13, CutAnswer()),  # a chunk whose answer was lost costs the session, which has nine requests
    ],
    ids=["500", "502", "503", "429", "cut", "answer lost"],
)
@pytest.mark.parametrize("limits", [lambda: Limits(patience=HASTY), chunky], ids=["whole", "chunks"])
def test_a_registry_that_fails_now_and_then_does_not_keep_an_image_out(
    scene: Scene, step: int, trouble: Trouble, limits: Callable[[], Limits]
) -> None:
    scene.push(every(step, trouble), limits=limits())
    assert scene.is_served()


def test_a_registry_that_asks_for_a_pause_gets_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Connection, "pause", lambda _, seconds: pauses.append(seconds) if seconds else None)
    scene.push(once(2, Answer(429, {"Retry-After": "7"})))
    assert pauses == [7.0]
    assert scene.is_served()


def test_a_slow_registry_is_waited_for(scene: Scene) -> None:
    scene.push(once(3, Slow(0.5)))
    assert scene.is_served()


# --- cut uploads -------------------------------------------------------------------------------------


def test_a_chunk_that_never_arrived_is_sent_again_and_nothing_else(scene: Scene) -> None:
    proxy = scene.push(once(3, Cut(after=MIB // 2, forward=False), is_patch), limits=chunky())
    assert scene.is_served()
    sent = sum(seen.received for seen in proxy.seen if is_patch(seen))
    assert scene.large < sent <= scene.large + MIB // 2
    assert proxy.counted("GET", "/blobs/uploads/") == 1, "asks once how far it got"


def test_an_upload_whose_session_was_lost_starts_anew(scene: Scene) -> None:
    """docker-registry 2.x forgets a session when a chunk was cut in its middle."""
    proxy = scene.push(once(3, Cut(after=MIB // 2), is_patch), limits=chunky())
    assert scene.is_served()
    assert sum(seen.received for seen in proxy.seen if is_patch(seen)) == scene.large + 2 * MIB + MIB // 2


def test_a_blob_that_landed_although_nobody_said_so_is_not_sent_twice(scene: Scene) -> None:
    proxy = scene.push(once(1, CutAnswer(), lambda seen: seen.method == "PUT" and seen.size > MIB))
    assert scene.is_served()
    assert proxy.body_bytes == scene.sample.image.size - len(scene.sample.image.manifest)


def test_a_push_that_broke_off_is_finished_by_the_next_one(scene: Scene) -> None:
    with pytest.raises(RegistryError, match="failed with 503"):
        scene.push(lambda seen: Answer(503) if seen.method == "PUT" and seen.size > MIB else None)
    proxy = scene.push()
    assert scene.is_served()
    assert scene.large <= proxy.body_bytes < scene.large + 5000, "small blobs that arrived are not sent again"


# --- registries with opinions ------------------------------------------------------------------------


def test_a_registry_that_refuses_large_chunks_gets_smaller_ones(scene: Scene) -> None:
    scene.use(("base/debian/00", tree_layer({"x": noise(9 * MIB, 3)})))
    too_large = Answer(416, {}, b'{"errors":[{"code":"UNKNOWN","message":"the request body is too large"}]}')
    proxy = scene.push(lambda seen: too_large if is_patch(seen) and seen.size > 4 * MIB else None)
    taken = [seen.size for seen in proxy.seen if is_patch(seen) and seen.status < 300]
    assert taken == [4 * MIB, 4 * MIB, scene.large - 8 * MIB]


@pytest.mark.parametrize(
    "trouble",
    [Answer(405), Answer(416), Answer(413), Change("Range", "0-10")],
    ids=["405", "416", "413", "a range that does not move"],
)
def test_a_registry_that_cannot_take_chunks_gets_blobs_whole(scene: Scene, trouble: Trouble) -> None:
    limits = chunky()
    scene.push(lambda seen: trouble if is_patch(seen) else None, limits=limits)
    assert scene.is_served()
    assert limits.habits.chunk is None, "the next blob is not tried in chunks again"


def test_a_registry_that_wants_larger_chunks_gets_them(scene: Scene) -> None:
    least = Change("OCI-Chunk-Min-Length", str(2 * MIB))
    proxy = scene.push(lambda seen: least if seen.method == "POST" else None, limits=chunky())
    assert [seen.size for seen in proxy.seen if is_patch(seen)][:2] == [2 * MIB, 2 * MIB]


def test_relative_locations_are_followed(scene: Scene) -> None:
    relative = Change(
        "Location", lambda url: url.partition("127.0.0.1:")[2].partition("/")[2].join(["/", ""])
    )
    scene.push(lambda _: relative, limits=chunky())
    assert scene.is_served()


def test_a_registry_that_leaves_digests_to_us_is_checked_by_reading_back(scene: Scene) -> None:
    proxy = scene.push(lambda _: Change("Docker-Content-Digest", None))
    assert scene.is_served()
    assert proxy.counted("GET", "/manifests/") == 2, "the manifest by its digest, and by its tag"


def test_credentials_stay_at_home_when_an_upload_moves_to_another_host(scene: Scene) -> None:
    other = scene.proxy()
    elsewhere = Change("Location", lambda url: re.sub(r"127\.0\.0\.1:\d+", other.host, url))
    front = scene.proxy(lambda seen: elsewhere if seen.method == "POST" else None)
    push(front.host, scene.sample, scene.order)
    assert scene.is_served()
    assert other.body_bytes > scene.large
    assert all(not seen.authorization for seen in other.seen)


# --- lies --------------------------------------------------------------------------------------------

WRONG = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("method", "part"), [("PUT", "/blobs/"), ("PUT", "/manifests/"), ("HEAD", "/blobs/")]
)
def test_another_digest_than_was_sent_is_never_accepted(scene: Scene, method: str, part: str) -> None:
    push(scene.registry.host, scene.sample, replace(scene.order, tags=("0.9.0",)))
    scene.use(("own/a", tree_layer({"etc/hello": b"hello\n"})), ("own/b", tree_layer({"new": b"new"})))

    def plan(seen: Seen) -> Trouble:
        meant = seen.method == method and part in seen.path
        return Change("Docker-Content-Digest", WRONG) if meant else None

    proxy = scene.proxy(plan)
    with pytest.raises(VerificationError, match=f"the registry reports {WRONG} for sha256:") as caught:
        push(proxy.host, scene.sample, scene.order)
    assert caught.value.exit_code == 4
    assert scene.registry.tags(scene.order.repository) == ["0.9.0"]


def test_another_size_than_was_sent_is_never_accepted(scene: Scene) -> None:
    push(scene.registry.host, scene.sample, replace(scene.order, tags=("0.9.0",)))
    scene.use(("own/a", tree_layer({"etc/hello": b"hello\n"})))
    longer = Change("Content-Length", "1")
    with pytest.raises(VerificationError, match="the registry holds 1 bytes as sha256:"):
        scene.push(lambda seen: longer if seen.method == "HEAD" and "/blobs/" in seen.path else None)


ALTERED = Answer(
    400,
    {},
    b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}',
)


@pytest.mark.parametrize("times", [1, 3])
def test_a_manifest_said_to_be_altered_while_another_push_writes_the_same_links_is_sent_again(
    scene: Scene, times: int
) -> None:
    left = [ALTERED] * times
    proxy = scene.push(
        lambda seen: left.pop() if left and seen.method == "PUT" and "/manifests/" in seen.path else None
    )
    assert scene.is_served()
    assert proxy.counted("PUT", "/manifests/sha256") == times + 1


def test_a_manifest_that_always_arrives_altered_is_an_error_and_gets_no_tag(scene: Scene) -> None:
    proxy = scene.proxy(lambda seen: ALTERED if seen.method == "PUT" and "/manifests/" in seen.path else None)
    with pytest.raises(VerificationError, match="the registry received other bytes than were sent"):
        push(proxy.host, scene.sample, scene.order)
    assert proxy.counted("PUT", "/manifests/sha256") == proxy.counted("PUT", "/manifests/") == 4


@pytest.mark.parametrize("limits", [lambda: Limits(patience=HASTY), chunky], ids=["whole", "chunks"])
def test_a_blob_that_changed_on_disk_is_not_published(scene: Scene, limits: Callable[[], Limits]) -> None:
    path = scene.sample.blob(scene.sample.image.layers[1].digest)
    content = bytearray(path.read_bytes())
    content[MIB] ^= 1
    path.write_bytes(content)
    proxy = scene.proxy()
    with pytest.raises(VerificationError, match="its bytes have another digest"):
        push(proxy.host, scene.sample, scene.order, limits=limits())
    assert proxy.counted("PUT", "/manifests/") == 0
    assert proxy.counted("DELETE", "/blobs/uploads/") == 1, "the upload is given back"


# --- refusals ----------------------------------------------------------------------------------------

REFUSALS = {
    "403": (
        Answer(403, {}, b'{"errors":[{"code":"DENIED","message":"requested access denied"}]}'),
        "{host} does not let an anonymous user push to {repository}: requested access denied",
        "ask for write access, or log in again",
    ),
    "404 name unknown": (
        Answer(404, {}, b'{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}'),
        "{host} does not know the repository {repository}: repository name not known",
        "create it in the registry first",
    ),
    "404 something else": (
        Answer(404, {}, b"<html>not here</html>"),
        "{host} has no such address",
        "does an OCI registry answer at this address?",
    ),
    "405": (
        Answer(405),
        "{host} takes no pushes for {repository}",
        "it may be a mirror or a pull-through cache",
    ),
    "500 always": (
        Answer(500, {}, b'{"errors":[{"code":"UNKNOWN","message":"disk full"}]}'),
        "the registry failed with 500: disk full (6 tries)",
        "try again later; look at the registry's log",
    ),
    "429 always": (
        Answer(429, {"Retry-After": "0"}),
        "the registry limits how often we may ask (6 tries)",
        "try again later; what is uploaded stays",
    ),
    "429 for an hour": (
        Answer(429, {"Retry-After": "3600"}),
        "the registry limits how often we may ask, and asks to come back in 3600 s",
        "try again later; what is uploaded stays",
    ),
}


@pytest.mark.parametrize("case", list(REFUSALS))
def test_a_refusal_says_what_happened_where_and_what_to_do(scene: Scene, case: str) -> None:
    answer, message, hint = REFUSALS[case]
    proxy = scene.proxy(lambda seen: answer if seen.method == "POST" else None)
    with pytest.raises(RegistryError) as caught:
        push(proxy.host, scene.sample, scene.order)
    words = {"host": proxy.host, "repository": scene.order.repository}
    assert caught.value.message == message.format_map(words)
    assert caught.value.where == "POST http://{host}/v2/{repository}/blobs/uploads/".format_map(words)
    assert caught.value.hint == hint
    assert caught.value.exit_code == 3


def test_a_body_limit_on_the_way_is_named(scene: Scene) -> None:
    proxy = scene.proxy(lambda seen: Answer(413) if seen.size > MIB // 2 else None)
    with pytest.raises(RegistryError) as caught:
        push(proxy.host, scene.sample, scene.order, limits=chunky())
    assert caught.value.message == f"{proxy.host} refuses uploads of this size"
    assert "limits request bodies" in (caught.value.hint or "")


def test_nothing_listening_is_said_after_a_few_tries(scene: Scene) -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(RegistryError) as caught:
        push(host, scene.sample, scene.order)
    assert caught.value.message == f"nothing listens at {host} (3 tries)"
    assert caught.value.hint == "is the registry running, and is HOST:PORT right? (--plain-http is on)"


# --- order -------------------------------------------------------------------------------------------


def test_a_tag_never_names_what_is_not_complete(scene: Scene) -> None:
    scene.push()
    old = scene.sample.image
    for at in range(1, 20):
        scene.use(("own/files", tree_layer({"n": noise(1000, at)})))
        proxy = scene.proxy(from_request(at, Cut(forward=False)))
        with pytest.raises(RegistryError):
            push(proxy.host, scene.sample, scene.order)
        assert scene.is_served(old), f"after a break at request {at}"
        if proxy.counted("PUT", "/manifests/1.0.0"):
            break
    else:
        pytest.fail("the tag was never reached")
    scene.push()
    assert scene.is_served()
