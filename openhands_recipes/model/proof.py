"""What a recipe promises about its running sandbox: tests, processes, ports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model


class OutputCheck(Model):
    """What a stream must say; every given check must hold."""

    equals: str | None = Field(default=None, description="The whole output, trailing newline aside.")
    contains: str | None = Field(default=None, description="A part of the output.")
    matches: str | None = Field(default=None, description="Regular expression searched line by line.")


TestScope = Literal["anywhere", "image", "debian"]
"""Where a test makes sense; each lies in the one before."""


class TestCase(Model):
    """A shell command run in the sandbox as its user, without network."""

    __test__ = False  # pytest must not collect it

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=forms.ONE_LINE)] = Field(
        description="One sentence that is true when the test passes."
    )
    run: Annotated[str, StringConstraints(min_length=1, max_length=16384)] = Field(
        description="Bash script, run with -euo pipefail in a scratch folder of its own."
    )
    exit_code: int = Field(default=0, ge=0, le=255, description="Expected exit code.")
    stdout: OutputCheck | None = Field(default=None, description="Checks on standard output.")
    stderr: OutputCheck | None = Field(default=None, description="Checks on standard error.")
    timeout: int = Field(default=60, ge=1, le=3600, description="Seconds before it is killed.")
    scope: TestScope = Field(
        default="anywhere",
        description="Where the test makes sense: anywhere; only in an image (it needs the account, sudo, "
        "services or folders outside the workspace); only in an image whose packages come from debian.",
    )


class TcpReady(Model):
    """Ready when a TCP port accepts connections."""

    tcp: int = Field(ge=1, le=65535, description="Port on the loopback address.")


class HttpReady(Model):
    """Ready when an HTTP request is answered with 2xx."""

    http: Annotated[str, StringConstraints(pattern=forms.LOCAL_URL, max_length=512)] = Field(
        description='Port and path on the loopback address: ":8000/ready".'
    )


class Process(Model):
    """A service that runs beside the agent."""

    command: tuple[str, ...] = Field(min_length=1, description="Program and arguments.")
    ready: TcpReady | HttpReady | None = Field(default=None, description="How to tell that it is up.")


class Port(Model):
    """A port the sandbox listens on."""

    name: Annotated[str, StringConstraints(pattern=forms.PORT_NAME)] = Field(
        description="Kubernetes port name."
    )
    port: int = Field(ge=1, le=65535, description="Port number.")
    protocol: Literal["TCP", "UDP"] = Field(default="TCP", description="TCP unless given.")
