"""Forms: the patterns texts must match, each with its meaning in words.

Patterns are the common ground of three regular expression dialects (pydantic's, Python's and the
JavaScript of editors): ASCII classes only, anchored at both ends.
"""

from __future__ import annotations

NAME = r"^[a-z][a-z0-9-]{1,47}$"
EXTENDS = r"^([a-z0-9][a-z0-9.-]*/)?[a-z][a-z0-9-]{1,47}(@[^\x00-\x20\x7f@/]+)?$"
SEMVER = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
VERSION_STREAM = r"^[0-9][0-9A-Za-z.+~-]*$"
ONE_LINE = r"^[^\x00-\x1f\x7f]+$"
ABSOLUTE_PATH = r"^/[^\x00-\x1f\x7f]*$"
PATH_FOLDER = r"^/[^\x00-\x1f\x7f:]*$"
ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
GITHUB_NAME = r"^[A-Za-z0-9](-?[A-Za-z0-9])*$"
TAG = r"^[a-z0-9][a-z0-9-]{0,31}$"
PACKAGE_NAME = r"^[a-z0-9][a-z0-9+.-]*$"
COMMAND_NAME = r"^[A-Za-z0-9_\[][A-Za-z0-9._+\[-]*$"
ATTRIBUTE_PATH = r"^[A-Za-z_][A-Za-z0-9_'.-]*$"
SCRIPT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
FILE_MODE = r"^[0-7]{4}$"
ACCOUNT_NAME = r"^[a-z_][a-z0-9_-]{0,31}$"
HOST = r"^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
DEVICE = r"^/dev/[A-Za-z0-9/_-]+$"
PRIVILEGE = r"^[a-z][a-z0-9-]*$"
CPU = r"^([0-9]+m|[0-9]+(\.[0-9]+)?)$"
BYTES = r"^[0-9]+(Ki|Mi|Gi|Ti)$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PORT_NAME = r"^[a-z]([a-z0-9-]{0,13}[a-z0-9])?$"
LOCAL_URL = r"^:[0-9]{1,5}/[^\x00-\x20\x7f]*$"
REGISTRY_NAME = r"^[a-z0-9][a-z0-9.-]{0,63}$"
NAMESPACE = r"^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$"
SUITE = r"^[a-z][a-z0-9-]*$"
SNAPSHOT = r"^[0-9]{8}T[0-9]{6}Z$"
GIT_COMMIT = r"^[0-9a-f]{40}$"
NAR_HASH = r"^sha256-[A-Za-z0-9+/]{43}=$"
CONTRACT = r"^v[0-9]+$"
RULE_CODE = r"^OHR[0-9]{3}$"
INDEX_PLACE = r"^((https?|oci)://)?[^\x00-\x20\x7f]+$"
RELATIVE_FILE = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
IMAGE_PLACE = r"^[A-Za-z0-9.:\[\]-]+(/[a-z0-9._-]+)*$"
CACHE_URL = r"^[a-z][a-z0-9+]*:[^\x00-\x20\x7f]+$"
CACHE_KEY = r"^[^\x00-\x20\x7f:]+:[A-Za-z0-9+/]{43}=$"

WORDS: dict[str, str] = {
    NAME: "2 to 48 lower-case letters, digits and hyphens, beginning with a letter",
    EXTENDS: "name, name@range or registry/name@range, without spaces",
    SEMVER: "a semantic version: 1.2.0, 1.2.0-rc.1",
    VERSION_STREAM: 'a version that begins with a digit: "3.13"',
    ONE_LINE: "one line of text",
    ABSOLUTE_PATH: "a path that begins with /",
    PATH_FOLDER: "a path that begins with / and has no colon",
    ENVIRONMENT_NAME: "letters, digits and underscores, not beginning with a digit",
    GITHUB_NAME: "a GitHub user name, without @",
    TAG: "up to 32 lower-case letters, digits and hyphens",
    PACKAGE_NAME: "lower-case letters, digits, plus, dot and hyphen, as in nixlib/packages.toml",
    COMMAND_NAME: "a command's name, without its folder",
    ATTRIBUTE_PATH: "a nixpkgs attribute: python313, nodePackages.prettier",
    SCRIPT_NAME: "letters, digits, dot, underscore and hyphen",
    FILE_MODE: 'four octal digits, quoted: "0644"',
    ACCOUNT_NAME: "up to 32 lower-case letters, digits, underscores and hyphens",
    HOST: "a host name in lower case, or *. and a domain; no scheme, port or path",
    DEVICE: "a path below /dev",
    PRIVILEGE: "lower-case letters, digits and hyphens",
    CPU: 'processors, quoted: "1", "1.5" or "500m"',
    BYTES: "a whole number of Ki, Mi, Gi or Ti: 2Gi",
    DATE: "a date as YYYY-MM-DD",
    PORT_NAME: "up to 15 lower-case letters, digits and hyphens",
    LOCAL_URL: "a port and a path: :8000/ready",
    REGISTRY_NAME: "lower-case letters, digits, dots and hyphens",
    NAMESPACE: "an OCI repository path: lower-case words separated by slashes",
    SUITE: "a Debian suite: trixie, trixie-updates",
    SNAPSHOT: "a UTC moment as 20261121T091544Z",
    GIT_COMMIT: "40 lower-case hexadecimal digits",
    NAR_HASH: "sha256- and a base64 hash, as in a flake.lock",
    CONTRACT: "v and a number: v1",
    RULE_CODE: "the code of a rule: OHR240",
    INDEX_PLACE: "a URL, a folder, or oci://HOST/REPOSITORY",
    RELATIVE_FILE: "a path below this file's folder",
    IMAGE_PLACE: "HOST[:PORT]/NAMESPACE",
    CACHE_URL: "a URL without spaces",
    CACHE_KEY: "a name, a colon and a base64 key, as `nix key convert-secret-to-public` prints it",
}
"""What a text must be, for readers who have just written something else."""
