from __future__ import annotations

import pytest

from openhands_recipes.compile.python.pylock import choose_wheels, fits, pins, runs_everywhere, supported_tags
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.platform import Platform

A, B, C = "a" * 64, "b" * 64, "c" * 64


def lock(*packages: str) -> bytes:
    return ('lock-version = "1.0"\ncreated-by = "uv"\n' + "".join(packages)).encode()


def package(name: str, version: str, *wheels: tuple[str, str]) -> str:
    listed = ",\n".join(
        f'{{ url = "https://files.example/{file}", upload-time = 2026-01-02T03:04:05Z, size = {len(file)}, '
        f'hashes = {{ sha256 = "{sha256}" }} }}'
        for file, sha256 in wheels
    )
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{listed}]\n'


def chosen(*files: str, platform: Platform = "linux/amd64", python: str = "3.13.5") -> str:
    name, version = files[0].split("-")[:2]
    content = lock(package(name, version, *((file, A) for file in files)))
    (wheel,) = choose_wheels(content, python_version=python, platform=platform)
    return wheel.file


def test_wheels_come_sorted_with_size_and_hash_and_without_hosts() -> None:
    content = lock(
        package("Zope.Interface", "8.0", ("zope_interface-8.0-py3-none-any.whl", B)),
        package("six", "1.17.0", ("six-1.17.0-py2.py3-none-any.whl", A)),
    )
    wheels = choose_wheels(content, python_version="3.13", platform="linux/amd64")
    assert [(w.name, w.version, w.sha256) for w in wheels] == [
        ("six", "1.17.0", A),
        ("zope-interface", "8.0", B),
    ]
    assert wheels[0].size == len(wheels[0].file)
    assert "files.example" not in repr(wheels)
    assert wheels[0].into("agent-server").into == "agent-server"
    assert wheels[0].build_requirement().file == wheels[0].file
    assert wheels[0].pure
    assert pins([wheels[0].into("python")]) == ("six==1.17.0",)


def test_machine_code_of_the_newest_glibc_wins() -> None:
    assert chosen(
        "cryptography-50.0.2-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "cryptography-50.0.2-cp311-abi3-manylinux_2_34_x86_64.whl",
        "cryptography-50.0.2-cp39-abi3-manylinux_2_34_x86_64.whl",
        "cryptography-50.0.2-cp311-abi3-manylinux_2_28_x86_64.whl",
    ) == "cryptography-50.0.2-cp311-abi3-manylinux_2_34_x86_64.whl"  # fmt: skip


@pytest.mark.parametrize(("platform", "machine"), [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")])
def test_the_targets_own_machine_code_wins_over_pure_python(platform: Platform, machine: str) -> None:
    own = f"yarl-1.2-cp313-cp313-manylinux2014_{machine}.manylinux_2_17_{machine}.whl"
    others = [
        f"yarl-1.2-cp313-cp313-manylinux2014_{other}.manylinux_2_17_{other}.whl"
        for other in ("x86_64", "aarch64")
        if other != machine
    ]
    assert chosen(*others, "yarl-1.2-py3-none-any.whl", own, platform=platform) == own


def test_the_exact_abi_wins_over_the_stable_one() -> None:
    exact = "charset_normalizer-3.5-cp313-cp313-manylinux_2_17_x86_64.whl"
    assert chosen("charset_normalizer-3.5-cp37-abi3-manylinux_2_28_x86_64.whl", exact) == exact


def test_a_higher_build_number_wins() -> None:
    assert chosen("a-1-1-py3-none-any.whl", "a-1-2local-py3-none-any.whl", "a-1-py3-none-any.whl") == (
        "a-1-2local-py3-none-any.whl"
    )


def test_wheels_built_here_carry_a_plain_linux_tag() -> None:
    assert fits("a-1-cp313-cp313-linux_x86_64.whl", python_version="3.13", platform="linux/amd64")
    assert not fits("a-1-cp313-cp313-linux_x86_64.whl", python_version="3.13", platform="linux/arm64")
    assert not fits("no wheel at all", python_version="3.13", platform="linux/amd64")


def test_what_needs_a_newer_glibc_or_another_python_does_not_fit() -> None:
    def fit(tag: str) -> bool:
        return fits(f"a-1-{tag}.whl", python_version="3.13.5", platform="linux/amd64")

    assert fit("cp313-cp313-manylinux_2_41_x86_64")
    assert not fit("cp313-cp313-manylinux_2_42_x86_64")
    assert not fit("cp313-cp313-musllinux_1_2_x86_64")
    assert not fit("cp312-cp312-manylinux_2_17_x86_64")
    assert not fit("cp314-abi3-manylinux_2_17_x86_64")
    assert not fit("cp313-cp313t-manylinux_2_17_x86_64")
    assert not fit("cp313-cp313-win_amd64")


def test_manylinux_begins_where_each_machine_begins() -> None:
    arm = {str(tag) for tag in supported_tags("3.13", "linux/arm64")}
    assert "cp313-cp313-manylinux2014_aarch64" in arm
    assert not any("manylinux1_" in tag or "manylinux_2_16_" in tag for tag in arm)
    assert "cp313-cp313-manylinux1_x86_64" in {str(t) for t in supported_tags("3.13", "linux/amd64")}


def test_file_names_are_read_from_urls_paths_and_names() -> None:
    content = lock(
        '[[packages]]\nname = "torch"\nversion = "2.9+cpu"\nwheels = [{ size = 3, '
        'url = "https://files.example/torch-2.9%2Bcpu-py3-none-any.whl", '
        f'hashes = {{ sha256 = "{A}" }} }}]\n'
        '[[packages]]\nname = "here"\nversion = "1"\nwheels = [{ size = 3, '
        f'path = "wheels/here-1-py3-none-any.whl", hashes = {{ sha256 = "{B}" }} }}]\n'
        '[[packages]]\nname = "named"\nversion = "1"\nwheels = [{ size = 3, '
        'name = "named-1-py3-none-any.whl", '
        f'url = "https://files.example/download?id=7", hashes = {{ sha256 = "{C.upper()}" }} }}]\n'
    )
    wheels = choose_wheels(content, python_version="3.13", platform="linux/amd64")
    assert [w.file for w in wheels] == [
        "here-1-py3-none-any.whl", "named-1-py3-none-any.whl", "torch-2.9+cpu-py3-none-any.whl"
    ]  # fmt: skip
    assert wheels[1].sha256 == C


def test_a_file_of_another_project_or_version_is_never_chosen() -> None:
    for file in ("six-1.16.0-py3-none-any.whl", "sixer-1.17.0-py3-none-any.whl"):
        with pytest.raises(
            ResolutionError, match=r"six 1\.17\.0 has no wheel for Python 3\.13 on linux/arm64"
        ):
            choose_wheels(
                lock(package("six", "1.17.0", (file, A))), python_version="3.13", platform="linux/arm64"
            )


def test_a_wheel_without_sha256_is_refused() -> None:
    content = lock(package("six", "1.17.0", ("six-1.17.0-py3-none-any.whl", "")))
    with pytest.raises(ResolutionError, match=r"does not tell the sha256 of six-1\.17"):
        choose_wheels(content, python_version="3.13", platform="linux/amd64")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"packages = 3", b"[[packages]]\nversion = '1'", lock(package("six", "not a version"))],
)
def test_what_is_no_lock_is_refused(content: bytes) -> None:
    with pytest.raises(ResolutionError):
        choose_wheels(content, python_version="3.13", platform="linux/amd64")


def test_only_names_that_promise_it_run_everywhere() -> None:
    assert runs_everywhere("six-1.17.0-py2.py3-none-any.whl")
    assert not runs_everywhere("ninja-1-py3-none-manylinux_2_17_x86_64.whl")
