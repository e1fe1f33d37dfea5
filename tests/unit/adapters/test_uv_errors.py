"""What uv 0.8 and 0.13 really printed, shortened where lists are long."""

from __future__ import annotations

import pytest

from openhands_recipes.adapters.uv_errors import PassingUvError, condensed, uv_error
from openhands_recipes.errors import DownloadError, NoWheelError, OutsideError, ResolutionError
from openhands_recipes.ports import PythonRequest

NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because func-timeout==4.3.5 has no usable wheels and only func-timeout<=4.3.5 is available, we can \
conclude that func-timeout>=4.3.5 cannot be used.
         And because openhands-tools==1.57.0 depends on func-timeout>=4.3.5 and you require \
openhands-tools==1.57.0, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `func-timeout` because building from source is disabled for all packages \
(i.e., with `--no-build`)
"""
NO_WHEEL_DRAWN = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because only the following versions of numpy are available:
          numpy==1.25.2
          numpy>=1.26
      and numpy==1.25.2 has no usable wheels, we can conclude that numpy<1.26 cannot be used.
      And because you require numpy<1.26, we can conclude that your requirements are unsatisfiable.

      hint: Wheels are required for `numpy` because building from source is disabled for all packages
"""  # noqa: RUF001 - as it was printed
RANGE = """\
error: No solution found when resolving dependencies
  cause: Because all versions of docopt have no usable wheels and hdfs>=2.6 depends on docopt>=0.6,<1, we \
can conclude that hdfs>=2.6 cannot be used.
         And because you require hdfs>=2, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `docopt` because building from source is disabled
"""
OTHER_PLATFORM = """\
error: No solution found when resolving dependencies
  cause: Because pywin32<=306 has no wheels with a matching Python ABI tag (e.g., `cp313`) and only the \
following versions of pywin32 are available:
             pywin32<=306
             pywin32>=307
         we can conclude that pywin32<307 cannot be used.
         And because pywin32>=307 has no wheels with a matching platform tag (e.g., \
`manylinux_2_40_x86_64`) and you require pywin32, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.13 (`cp313`), but we only found wheels for `pywin32` (v306) with the following \
Python ABI tags: `cp311`, `cp312`

hint: Wheels are available for `pywin32` (v312) on the following platforms: `win32`
"""
NETWORK = """\
error: Request failed after 3 retries in 6.3s
  cause: Failed to fetch: http://me:secret@127.0.0.1:9/simple/six/
  cause: error sending request for url (http://127.0.0.1:9/simple/six/)
  cause: Connection refused (os error 111)
"""
UNAUTHORIZED = """\
error: Failed to fetch: `http://127.0.0.1:9/simple/six/`
  cause: HTTP status client error (401 Unauthorized) for url (http://127.0.0.1:9/simple/six/)
"""
UNTRUSTED = """\
error: Request failed after 3 retries
  cause: error sending request for url (https://127.0.0.1:9/simple/six/)
  cause: invalid peer certificate: UnknownIssuer
"""


def request(*requirements: str, constraints: tuple[str, ...] = ()) -> PythonRequest:
    return PythonRequest(requirements, "3.13.5", "linux/amd64", constraints=constraints)


def test_a_project_without_wheels_is_named_with_its_version_and_who_asked() -> None:
    error = uv_error(NO_WHEEL, request("openhands-agent-server==1.57.0", "openhands-tools==1.57.0"))
    assert isinstance(error, NoWheelError)
    assert (error.project, error.specifier) == ("func-timeout", "==4.3.5")
    assert error.message == (
        "'openhands-tools==1.57.0' cannot be met with Python 3.13.5 on linux/amd64: func-timeout==4.3.5 has "
        "no usable wheels and only func-timeout<=4.3.5 is available; openhands-tools==1.57.0 depends on "
        "func-timeout>=4.3.5"
    )


def test_older_versions_draw_frames_and_list_every_version() -> None:
    error = uv_error(NO_WHEEL_DRAWN, request("numpy<1.26"))
    assert isinstance(error, NoWheelError)
    assert (error.project, error.specifier) == ("numpy", "==1.25.2")
    assert "only some versions of numpy are available and numpy==1.25.2 has no usable wheels" in error.message


def test_without_an_exact_version_everything_known_narrows_it() -> None:
    error = uv_error(RANGE, request("hdfs>=2", constraints=("docopt==0.6.2", "six==1.17.0")))
    assert isinstance(error, NoWheelError)
    assert set(error.specifier.split(",")) == {">=0.6", "<1", "==0.6.2"}


def test_wheels_for_other_machines_are_no_reason_to_build() -> None:
    error = uv_error(OTHER_PLATFORM, request("pywin32"))
    assert type(error) is ResolutionError
    assert error.message.endswith("matching platform tag (e.g., `manylinux_2_40_x86_64`)")
    assert error.hint is not None
    assert error.hint.startswith("You require CPython 3.13 (`cp313`), but we only found wheels for `pywin32`")


def test_a_network_that_fails_may_come_back_and_secrets_stay_secret() -> None:
    error = uv_error(NETWORK, request("six"))
    assert isinstance(error, PassingUvError)
    assert error.reason == "Connection refused (os error 111)"
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (UNAUTHORIZED, "refuses to answer (401 Unauthorized)", "credentials"),
        (UNTRUSTED, "TLS certificate that is not trusted", "SSL_CERT_FILE"),
    ],
)
def test_refusals_are_not_tried_again(said: str, message: str, hint: str) -> None:
    error = uv_error(said, request("six"))
    assert isinstance(error, DownloadError)
    assert message in error.message
    assert hint in (error.hint or "")


def test_anything_else_is_shown_as_it_is() -> None:
    error = uv_error("warning: strange\nerror: unexpected argument '--zap' found\n", request("six"))
    assert isinstance(error, OutsideError)
    assert error.message == "uv failed: unexpected argument '--zap' found"
    assert isinstance(uv_error("", request("six")), OutsideError)


def test_long_explanations_are_cut_at_a_word() -> None:
    said = "Because " + " and ".join(f"a{n} depends on b{n}" for n in range(100)) + "."
    assert len(condensed(said)) <= 500
    assert condensed(said).endswith(" ...")
    assert condensed("nothing of that kind") == "no reason was given"


def test_several_blamed_requirements_are_listed() -> None:
    said = (
        "No solution found: Because you require a>=2 and you require b==1 and c is gone, we can conclude x."
    )
    error = uv_error(said, request("a>=2", "b[x]==1", "d"))
    assert isinstance(error, ResolutionError)
    assert error.message.startswith("'a>=2' and 'b[x]==1' cannot be met")
    unknown = uv_error("No solution found: Because c is missing", request("d"))
    assert isinstance(unknown, ResolutionError)
    assert unknown.message.startswith(
        "Python requirements cannot be met with Python 3.13.5 on linux/amd64: c is"
    )
