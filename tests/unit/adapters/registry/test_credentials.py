from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from openhands_recipes.adapters.registry import credentials as module
from openhands_recipes.adapters.registry.credentials import Credentials, CredentialStore
from openhands_recipes.errors import RegistryError, UsageError

HOST, REPOSITORY = "registry.example.com:5000", "team/sandboxes"
SECRET = "s3cret"


def pair(user: str, password: str = SECRET) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def docker_config(home: Path, content: Any) -> Path:
    path = home / ".docker" / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def find(home: Path, **environment: str) -> Credentials | None:
    return CredentialStore(environment=environment, home=home).find(HOST, REPOSITORY)


def test_nothing_is_known_on_an_empty_machine(tmp_path: Path) -> None:
    assert find(tmp_path) is None


def test_the_environment_comes_first(tmp_path: Path) -> None:
    docker_config(tmp_path, {"auths": {HOST: {"auth": pair("file")}}})
    found = find(tmp_path, OHR_REGISTRY_USER="env", OHR_REGISTRY_PASSWORD=SECRET)
    assert found == Credentials("env", SECRET, "OHR_REGISTRY_USER")


@pytest.mark.parametrize("given", ["OHR_REGISTRY_USER", "OHR_REGISTRY_PASSWORD"])
def test_half_a_login_in_the_environment_is_an_error(tmp_path: Path, given: str) -> None:
    with pytest.raises(UsageError, match=r"OHR_REGISTRY_\w+ is not set") as caught:
        find(tmp_path, **{given: SECRET})
    assert given not in caught.value.message
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [HOST, f"https://{HOST}", f"http://{HOST}/", f"https://{HOST}/v1/", f"https://{HOST}/v2/", HOST.upper()],
)
def test_all_spellings_of_a_host_are_understood(tmp_path: Path, key: str) -> None:
    docker_config(
        tmp_path, {"auths": {"other.example.com": {"auth": pair("other")}, key: {"auth": pair("me")}}}
    )
    found = find(tmp_path)
    assert found is not None
    assert (found.user, found.secret, found.kind) == ("me", SECRET, "password")


def test_another_port_is_another_registry(tmp_path: Path) -> None:
    docker_config(tmp_path, {"auths": {"registry.example.com": {"auth": pair("other")}}})
    assert find(tmp_path) is None


def test_a_password_may_hold_colons(tmp_path: Path) -> None:
    docker_config(tmp_path, {"auths": {HOST: {"auth": pair("me", "a:b:c")}}})
    found = find(tmp_path)
    assert found is not None
    assert found.secret == "a:b:c"


def test_the_most_specific_namespace_wins(tmp_path: Path) -> None:
    docker_config(
        tmp_path,
        {
            "auths": {
                HOST: {"auth": pair("host")},
                f"{HOST}/team": {"auth": pair("team")},
                f"{HOST}/x": {"auth": "!"},
            }
        },
    )
    found = find(tmp_path)
    assert found is not None
    assert found.user == "team"


def test_plain_username_and_password_fields_are_read(tmp_path: Path) -> None:
    docker_config(tmp_path, {"auths": {HOST: {"username": "me", "password": SECRET}}})
    found = find(tmp_path)
    assert found is not None
    assert (found.user, found.secret) == ("me", SECRET)


@pytest.mark.parametrize(
    ("name", "kind"), [("identitytoken", "identity-token"), ("registrytoken", "registry-token")]
)
def test_tokens_are_told_from_passwords(tmp_path: Path, name: str, kind: str) -> None:
    docker_config(tmp_path, {"auths": {HOST: {"auth": pair("<token>", ""), name: "the token"}}})
    found = find(tmp_path)
    assert found is not None
    assert (found.secret, found.kind) == ("the token", kind)


def test_an_empty_entry_knows_nobody(tmp_path: Path) -> None:
    docker_config(tmp_path, {"auths": {HOST: {}}})
    assert find(tmp_path) is None


def test_files_are_asked_in_order(tmp_path: Path) -> None:
    named = tmp_path / "named.json"
    runtime = tmp_path / "run" / "containers" / "auth.json"
    runtime.parent.mkdir(parents=True)
    elsewhere = tmp_path / "docker"
    elsewhere.mkdir()
    runtime.write_text(json.dumps({"auths": {HOST: {"auth": pair("runtime")}}}))
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}

    def user() -> str:
        found = find(tmp_path, **environment)
        return found.user if found else ""

    assert user() == "runtime"
    docker_config(tmp_path, {"auths": {HOST: {"auth": pair("home")}}})
    assert user() == "home"
    environment["DOCKER_CONFIG"] = str(elsewhere)
    assert user() == "runtime"
    (elsewhere / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": pair("elsewhere")}}}))
    assert user() == "elsewhere"
    environment["REGISTRY_AUTH_FILE"] = str(named)
    assert user() == "elsewhere"
    named.write_text(json.dumps({"auths": {HOST: {"auth": pair("named")}}}))
    assert user() == "named"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"auths": {\n"x": s3cret', "credentials file is not JSON"),
        ("[]", "the file should be a JSON object"),
        ({"auths": ["s3cret"]}, "auths should be a JSON object"),
        ({"auths": {HOST: "s3cret"}}, "this login is not a JSON object"),
        ({"auths": {HOST: {"auth": "s3cret!"}}}, "`auth` is not base64 of user:password"),
        ({"auths": {HOST: {"auth": base64.b64encode(b"s3cret").decode()}}}, "`auth` is not base64"),
    ],
)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, content: Any, message: str) -> None:
    path = docker_config(tmp_path, content)
    with pytest.raises(RegistryError) as caught:
        find(tmp_path)
    assert message in caught.value.message
    assert str(path) in (caught.value.where or "")
    assert "s3cret" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = docker_config(tmp_path, "{}")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RegistryError, match="credentials cannot be read"):
        find(tmp_path)


def test_secrets_are_not_in_the_repr() -> None:
    assert SECRET not in repr(Credentials("me", SECRET, "here"))


@pytest.mark.parametrize(
    "key",
    ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io", "docker.io/team"],
)
def test_a_login_to_docker_hub_is_found_under_every_name_it_has(tmp_path: Path, key: str) -> None:
    docker_config(tmp_path, {"auths": {key: {"auth": pair("me")}, "other.example.com": {"auth": pair("no")}}})
    found = CredentialStore(environment={}, home=tmp_path).find("docker.io", "team")
    assert found is not None
    assert found.user == "me"


# --- helpers -----------------------------------------------------------------------------------------


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a credential helper `docker-credential-tests` that runs some shell code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(code: str) -> Path:
        program = folder / "docker-credential-tests"
        program.write_text(f"#!/bin/sh\n{code}\n")
        program.chmod(0o755)
        return program

    return install


ANSWER = '{"ServerURL":"x","Username":"%s","Secret":"s3cret"}'


@pytest.mark.parametrize("setting", [{"credHelpers": {HOST: "tests"}}, {"credsStore": "tests"}], ids=str)
def test_a_helper_is_asked_for_the_host(tmp_path: Path, helper: Any, setting: Any) -> None:
    helper(f'test "$1" = get || exit 9; read key; test "$key" = {HOST} || exit 8; echo \'{ANSWER % "me"}\'')
    docker_config(tmp_path, setting)
    assert find(tmp_path) == Credentials("me", SECRET, "docker-credential-tests")


def test_a_store_is_asked_with_the_key_that_the_login_was_kept_under(tmp_path: Path, helper: Any) -> None:
    key = f"https://{HOST}/v1/"
    helper(
        f"read key; case $key in {key}) echo '{ANSWER % 'me'}';; "
        "*) echo credentials not found in native keychain; exit 1;; esac"
    )
    docker_config(tmp_path, {"credsStore": "tests", "auths": {key: {}}})
    found = find(tmp_path)
    assert found is not None
    assert found.user == "me"


def test_a_helper_may_keep_an_identity_token(tmp_path: Path, helper: Any) -> None:
    helper(f"echo '{ANSWER % '<token>'}'")
    docker_config(tmp_path, {"credsStore": "tests"})
    found = find(tmp_path)
    assert found is not None
    assert (found.secret, found.kind) == (SECRET, "identity-token")


def test_a_helper_that_knows_nothing_leaves_the_file_to_say(tmp_path: Path, helper: Any) -> None:
    helper("echo credentials not found in native keychain; exit 1")
    docker_config(tmp_path, {"credsStore": "tests", "auths": {HOST: {"auth": pair("file")}}})
    found = find(tmp_path)
    assert found is not None
    assert found.user == "file"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("echo s3cret; exit 3", "credential helper docker-credential-tests failed with exit code 3"),
        ("echo s3cret", "credential helper docker-credential-tests answered no credentials"),
        ('echo \'{"Username": "me"}\'', "credential helper docker-credential-tests answered no credentials"),
        ("sleep 5", "credential helper docker-credential-tests did not answer"),
    ],
)
def test_a_helper_that_fails_is_named_and_not_quoted(
    tmp_path: Path, helper: Any, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.setattr(module, "HELPER_SECONDS", 0.5)
    helper(code)
    docker_config(tmp_path, {"credsStore": "tests"})
    with pytest.raises(RegistryError) as caught:
        find(tmp_path)
    assert caught.value.message == message
    assert "s3cret" not in str(caught.value)


def test_an_empty_secret_is_none(tmp_path: Path, helper: Any) -> None:
    helper('echo \'{"Username": "me", "Secret": ""}\'')
    docker_config(tmp_path, {"credsStore": "tests"})
    assert find(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "message"), [("absent-helper", "is not on PATH"), ("../../bin/evil", "is no credential helper")]
)
def test_a_helper_that_cannot_be_run_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    docker_config(tmp_path, {"credsStore": name})
    with pytest.raises(RegistryError, match=message):
        find(tmp_path)


@pytest.mark.parametrize(
    "setting", [{"credHelpers": {"https://index.docker.io/v1/": "tests"}}, {"credsStore": "tests"}], ids=str
)
def test_a_helper_is_asked_for_docker_hub_as_docker_asks(tmp_path: Path, helper: Any, setting: Any) -> None:
    helper(f"read key; test $key = https://index.docker.io/v1/ || exit 8; echo '{ANSWER % 'me'}'")
    docker_config(tmp_path, setting)
    found = CredentialStore(environment={}, home=tmp_path).find("docker.io", "team")
    assert found is not None
    assert found.user == "me"
