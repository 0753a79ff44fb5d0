# The commands of this repository. `make` alone lists them. The work is done by xtask/.
.DEFAULT_GOAL := help
.PHONY: help run stack test check gen guard migration bench soak

# What runs the hub shares its build with the hub, what tests it with the tests, what measures it with
# what is measured.
RUN   := cargo run --quiet --profile quick --package xtask --
XTASK := cargo run --quiet --package xtask --
BENCH := cargo run --quiet --release --package xtask --
need-cargo = @command -v cargo >/dev/null || { echo "cargo is missing: install Rust (https://rustup.rs), then run this again" >&2; exit 1; }

help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build and start the hub on http://localhost:8080 (ARGS="--port 9000 …" go to `syfthub serve`)
	$(need-cargo)
	@$(RUN) run -- $(ARGS)

stack: ## the three services behind nginx with PostgreSQL and Redis, on loopback (PORT=8080)
	$(need-cargo)
	@$(RUN) stack $(if $(PORT),--port $(PORT))

test: ## every test there is; the last line is the count
	$(need-cargo)
	@$(XTASK) test

check: ## format, lints, guards, generated files, links, nginx and compose files
	$(need-cargo)
	@$(XTASK) check

guard: ## only the guards of the architecture
	$(need-cargo)
	@$(XTASK) guard

gen: ## write .env.example, docs/CONFIG.md, docs/ERRORS.md, openapi.json and docs/security/oauth-matrix.md from the source
	$(need-cargo)
	@$(XTASK) gen

migration: ## a new migration for both databases (NAME=what_changes)
	$(need-cargo)
	@$(XTASK) migration "$(NAME)"

bench: ## measure the hub, built with --release, against bare handlers (ARGS="…" go to the bench)
	$(need-cargo)
	@$(BENCH) bench -- $(ARGS)

soak: ## kill services under load and look for what was lost, then chat and look for what stays behind (MINUTES=10 of each; ONLY=kills or chats)
	$(need-cargo)
	@$(RUN) soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only $(ONLY))
