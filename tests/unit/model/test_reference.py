from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.errors import UsageError
from openhands_recipes.model.reference import RegistryAddress, is_loopback, parse_address, tag_for


@pytest.mark.parametrize(
    ("text", "host", "namespace"),
    [
        ("127.0.0.1:5000/team", "127.0.0.1:5000", "team"),
        ("localhost/team/sandboxes", "localhost", "team/sandboxes"),
        ("Registry.Example.com/team/", "registry.example.com", "team"),
        ("registry.example.com", "registry.example.com", ""),
        ("[::1]:5000/team", "[::1]:5000", "team"),
        ("[2001:db8::1]/a__b/c-d/e.f", "[2001:db8::1]", "a__b/c-d/e.f"),
        ("builder:5000", "builder:5000", ""),
    ],
)
def test_host_and_namespace_are_told_apart(text: str, host: str, namespace: str) -> None:
    assert parse_address(text) == RegistryAddress(host, namespace)


@pytest.mark.parametrize(
    "text",
    ["team", "docker.io/team", "Docker.IO/team/", "index.docker.io/team", "registry-1.docker.io/team"],
)
def test_docker_hub_has_one_name_and_short_ones_mean_it(text: str) -> None:
    address = parse_address(text)
    assert (str(address), address.repository("python")) == ("docker.io/team", "team/python")
    assert address.api_host == "registry-1.docker.io"


def test_a_repository_of_docker_hub_is_an_account_and_a_name() -> None:
    assert parse_address("oci.example.com/a/b/c", repository=True).namespace == "a/b/c"
    assert parse_address("team/index", repository=True) == RegistryAddress("docker.io", "team/index")
    with pytest.raises(UsageError, match="are ACCOUNT/NAME"):
        parse_address("docker.io/team", repository=True)


def test_the_library_of_docker_hub_is_an_account_like_others() -> None:
    assert parse_address("docker.io/library").repository("python") == "library/python"


def test_every_other_registry_speaks_where_its_name_says() -> None:
    assert parse_address("registry.example.com:5000/team").api_host == "registry.example.com:5000"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("https://registry.example.com/team", "starts with a scheme", "--plain-http chooses HTTP"),
        ("team/sandboxes", "repositories of Docker Hub are ACCOUNT/NAME", "write docker.io/ACCOUNT"),
        ("docker.io", "repositories of Docker Hub are ACCOUNT/NAME", "write docker.io/ACCOUNT"),
        ("docker.io/team/more", "repositories of Docker Hub are ACCOUNT/NAME", "write docker.io/ACCOUNT"),
        ("Team", "'Team' is no namespace", "namespaces are lower case"),
        ("", "names no registry", "write HOST[:PORT]/NAMESPACE"),
        ("/", "names no registry", "write HOST[:PORT]/NAMESPACE"),
        ("registry.example.com/Team", "'Team' is no namespace", "namespaces are lower case"),
        ("registry.example.com/team:1.0", "is no namespace", "leave out tag and digest"),
        ("registry.example.com/team@sha256:00", "is no namespace", "leave out tag and digest"),
        ("registry.example.com/a//b", "is no namespace", "parts are a-z and 0-9"),
        ("registry.example.com/../x", "is no namespace", "parts are a-z and 0-9"),
        ("user@registry.example.com/x", "is no host", "write HOST[:PORT]/NAMESPACE"),
        ("registry.example.com:0/x", "0 is no port", "ports go from 1 to 65535"),
        ("registry.example.com:99999/x", "99999 is no port", "ports go from 1 to 65535"),
        ("[::g]:5000/x", "is no host", "write HOST[:PORT]/NAMESPACE"),
        ("[1.2.3.4]:5000/x", "[1.2.3.4] is no IPv6 address", "write HOST[:PORT]/NAMESPACE"),
        ("::1/x", "is no host", "write HOST[:PORT]/NAMESPACE"),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong_with_it(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        address = parse_address(text)
    except UsageError:
        return
    assert parse_address(str(address)) == address


def test_repositories_lie_in_the_namespace() -> None:
    assert RegistryAddress("localhost:5000", "a/b").repository("python") == "a/b/python"
    assert RegistryAddress("localhost:5000").repository("python") == "python"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:5000", True),
        ("registry.localhost", True),
        ("127.3.2.1", True),
        ("[::1]:5000", True),
        ("registry.example.com", False),
        ("10.0.0.1:5000", False),
        ("no host at all", False),
    ],
)
def test_loopback_is_recognised(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    assert RegistryAddress(host).is_loopback is loopback


def test_versions_become_tags() -> None:
    assert tag_for("1.2.0-rc.1+build.5") == "1.2.0-rc.1_build.5"
    with pytest.raises(UsageError, match="cannot be a tag"):
        tag_for("1.0.0-" + "a" * 130)
