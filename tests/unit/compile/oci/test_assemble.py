from __future__ import annotations

import json
from dataclasses import replace

from openhands_recipes.compile.oci.image import ImageSettings, assemble
from openhands_recipes.model.digest import canonical_json, digest_of
from openhands_recipes.model.image import Layer

SETTINGS = ImageSettings(
    created="2026-01-02T03:04:05Z",
    environment={"PATH": "/usr/bin", "LANG": "C.UTF-8"},
    entrypoint=("tini", "--"),
    command=("bash",),
    workdir="/workspace",
    user="10001:10001",
    ports=("8000/tcp",),
    labels={"org.opencontainers.image.title": "sample"},
)


def layer(name: str, compression: str = "zstd") -> Layer:
    packed = digest_of(f"{name} {compression}".encode())
    return Layer(digest_of(name.encode()), packed, 10, 20, compression, f"base/{name}")  # type: ignore[arg-type]


def test_the_config_says_how_to_run_and_when_its_inputs_were_released() -> None:
    image = assemble("sample", "1.0.0", "linux/arm64", [layer("one"), layer("two")], SETTINGS)
    assert json.loads(image.config) == {
        "architecture": "arm64",
        "os": "linux",
        "created": "2026-01-02T03:04:05Z",
        "config": {
            "Env": ["LANG=C.UTF-8", "PATH=/usr/bin"],
            "Entrypoint": ["tini", "--"],
            "Cmd": ["bash"],
            "WorkingDir": "/workspace",
            "User": "10001:10001",
            "ExposedPorts": {"8000/tcp": {}},
            "Labels": {"org.opencontainers.image.title": "sample"},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer("one").diff_id, layer("two").diff_id]},
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": "openhands-recipes: base/one"},
            {"created": "2026-01-02T03:04:05Z", "created_by": "openhands-recipes: base/two"},
        ],
    }


def test_the_manifest_names_config_and_layers_by_digest() -> None:
    image = assemble("sample", "1.0.0", "linux/amd64", [layer("one")], SETTINGS)
    manifest = json.loads(image.manifest)
    assert manifest["config"] == {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": digest_of(image.config),
        "size": len(image.config),
    }
    assert manifest["layers"] == [
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd",
            "digest": layer("one").digest,
            "size": 10,
        }
    ]
    assert manifest["annotations"] == {"org.opencontainers.image.title": "sample"}
    assert (image.digest, image.size) == (digest_of(image.manifest), len(image.manifest + image.config) + 10)


def test_documents_are_canonical() -> None:
    image = assemble("sample", "1.0.0", "linux/amd64", [layer("one")], SETTINGS)
    for document in (image.config, image.manifest):
        assert document == canonical_json(json.loads(document))


def test_what_is_not_set_is_left_out() -> None:
    image = assemble("sample", "1.0.0", "linux/amd64", [], ImageSettings("2026-01-02T03:04:05Z"))
    assert json.loads(image.config)["config"] == {"WorkingDir": "/"}
    assert "annotations" not in json.loads(image.manifest)


def test_other_compressions_have_the_same_config() -> None:
    images = [
        assemble("sample", "1.0.0", "linux/amd64", [layer("one", c)], SETTINGS)
        for c in ("zstd", "gzip", "none")
    ]
    assert len({image.config for image in images}) == 1
    assert len({image.manifest for image in images}) == 3


def test_the_order_of_settings_means_nothing() -> None:
    turned = replace(SETTINGS, environment=dict(reversed(SETTINGS.environment.items())))
    layers = [layer("one")]
    first, second = (assemble("s", "1", "linux/amd64", layers, s) for s in (SETTINGS, turned))
    assert first == second
