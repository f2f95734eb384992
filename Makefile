# The developer's interface. What a target needs is set up first and reused as long as it fits (bootstrap/).
PYTHON ?= python3
BIN := .venv/bin
SETUP := $(PYTHON) -m bootstrap
# mkfs and its kin live where a user's PATH may not lead; programs must not write caches into the sources.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help demo test check bench same-bits arch-images release-rehearsal fuzz doors lint types layers image engine venv python packages clean
.DEFAULT_GOAL := help
.NOTPARALLEL:

help: ## list the targets
	@echo "make TARGET, where TARGET is"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12
	@echo "Variables: PYTHON=$(PYTHON), DEBIAN_RELEASE (the image's release; default: the Dockerfile's)."

demo: image ## set up, then build and prove examples/debian and examples/leaky
	$(BIN)/ci-toolkit verify examples/debian --output output/debian
	$(BIN)/ci-toolkit verify examples/leaky --output output/leaky --fail-on never

test: packages image lint types layers ## set up, then run every check and every test
	@$(SETUP) tests

check: lint types layers ## lint, types and quick unit tests; no Docker
	@$(SETUP) unit

bench: image ## measure comparing and building against cmp, diff, diffoscope and plain mkosi
	$(BIN)/python -m benchmarks

same-bits: image ## build one image by every runner, in every surroundings: one SHA-256
	$(BIN)/python -m tests.integration.same_bits

arch-images: image ## build, prove, convert and start every image of examples/arch; takes an hour and more without KVM
	$(BIN)/python -m tests.arch.images

release-rehearsal: image packages ## release examples/debian and an image of Arch to four kinds of target, rebuild, prune
	$(BIN)/python -m tests.integration.rehearsal

fuzz: venv ## compare real images that were damaged at random, for ten minutes
	$(BIN)/python -m fuzz

doors: venv ## write the tables of inputs and outputs into action.yml, the workflows, the templates and README.md
	$(BIN)/python -m doors

lint: venv ## style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: venv ## types
	$(BIN)/mypy

layers: venv ## who may import whom
	$(BIN)/lint-imports

# The engine first: where it cannot be used, that is said before anything is fetched.
image: engine venv ## build the toolkit's image, ci-toolkit:local
	@$(SETUP) image

venv: python ## make the virtual environment
	@$(SETUP) venv

engine: python # a Docker engine, which root gets installed and started
	@$(SETUP) engine

python:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not installed; as root: apt-get install python3" >&2; exit 1; }

packages: venv # Debian packages that tests take their truths from
	@$(SETUP) packages

clean: ## remove what was made here: environment, output, caches, local images
	@$(SETUP) clean
