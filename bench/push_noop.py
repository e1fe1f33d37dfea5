"""Pushing an image that is there already, beside `skopeo copy` of the same layout to the same registry."""

from __future__ import annotations

from bench.harness import Bench, LackingError, Target
from bench.peers import program
from bench.processes import run
from bench.workshop import Workshop

RECIPE = "bench-tools"


def push_noop(shop: Workshop) -> Bench:
    """`ohr push` of an unchanged image: how long, and how many requests."""
    cache, host = shop.warm_cache, shop.registry
    push = ("push", RECIPE, "--to", f"{host}/noop", "--plain-http")
    first = shop.ohr_json(cache, *push)
    again = shop.ohr_json(cache, *push)
    facts = {
        "bytes": first["uploaded_bytes"],
        "requests of the first push": first["requests"],
        "requests of a push that finds nothing changed": again["requests"],
        "seconds at the registry": again["seconds"],
    }
    peers, missing = {}, {}
    layout = shop.folder / "noop-layout"
    shop.ohr(cache, "build", RECIPE, "--layout", str(layout))
    try:
        skopeo = program("skopeo")
    except LackingError as error:
        missing["skopeo"] = f"lacks {error}"
    else:
        copy = [
            skopeo,
            "copy",
            "--dest-tls-verify=false",
            f"oci:{layout}",
            f"docker://{host}/skopeo/{RECIPE}:1",
        ]
        run(copy)
        peers["skopeo"] = lambda: run(copy).seconds
    return Bench(
        name="push_noop",
        what="push of an unchanged image to a loopback registry",
        unit="s",
        ours=lambda: shop.ohr(cache, *push).seconds,
        peers=peers,
        missing=missing,
        targets=(Target(0.3),),
        facts=facts,
        runs=7,
    )
