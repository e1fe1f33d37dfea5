# Needed before: Python >= 3.11, git, make. Everything else is installed, and said, on the way.
.PHONY: help demo test verify lint bench schema golden clean

help:
	@sed -n 's/^## //p' Makefile

## make demo     build, prove, push and run the recipe `python`; three minutes from nothing
demo:
	@.ci/setup run
	@.ci/packages docker-registry uidmap:newuidmap
	@.venv/bin/python .ci/demo.py

## make test     lint and every test but the slow ones
test:
	@.ci/setup dev
	@.ci/packages uidmap:newuidmap docker-registry docker.io:dockerd skopeo busybox-static:busybox mmdebstrap umoci
	@.ci/test

## make verify   the full matrix: all recipes, users, codecs, peers, faults; goes on where it stopped
verify:
	@.ci/setup dev
	@.ci/packages uidmap:newuidmap docker-registry docker.io:dockerd skopeo busybox-static:busybox mmdebstrap umoci
	@.venv/bin/python -m bench.verify

## make lint     style and types
lint:
	@.ci/setup dev
	@.ci/lint

## make bench    the numbers we hold ourselves to, beside our peers
bench:
	@.ci/setup dev
	@.ci/packages docker-registry docker.io:dockerd mmdebstrap skopeo
	@.venv/bin/python -m bench

## make schema   write schema/ from the models
schema:
	@.ci/setup dev
	@.venv/bin/python -m pytest -q -n0 --update-golden tests/test_house.py -k schemas

## make golden   rewrite goldens and generated pages; read the diff
golden:
	@.ci/setup dev
	@.venv/bin/python -m pytest -q -n0 --update-golden tests/test_house.py tests/golden tests/unit

## make clean    remove what was made here; the cache of builds stays (`ohr cache clean`)
clean:
	rm -rf .venv reports out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
