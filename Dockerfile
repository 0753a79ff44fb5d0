# One file for every image:
#   docker build --target backend    -t syfthub-backend .
#   docker build --target aggregator -t syfthub-aggregator .
#   docker build --target mcp        -t syfthub-mcp .
#   docker build --target frontend   -t syfthub-frontend .
#   docker build --target syfthub    -t syfthub .          (everything in one process)

# ---------------------------------------------------------------- toolchain
FROM rust:1.95-slim-bookworm AS toolchain
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc g++ make libc6-dev curl ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# ---------------------------------------------------------------- development: rebuild on change
FROM toolchain AS dev
COPY --chmod=0755 scripts/watch-and-run.sh /usr/local/bin/watch-and-run
COPY rust-toolchain.toml clippy.toml ./
COPY xtask xtask
# The commands of the runbook work here too: `syfthub-backend config`, `.venv/bin/alembic upgrade head`.
COPY --chmod=0755 scripts/alembic.sh /app/.venv/bin/alembic
ENV PATH="/app/target/debug:${PATH}"
CMD ["watch-and-run", "syfthub-backend"]

# ---------------------------------------------------------------- build
FROM toolchain AS build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/app/target \
    cargo build --locked --profile dist \
        -p syfthub -p syfthub-backend -p syfthub-aggregator -p syfthub-mcp \
    && mkdir -p /out \
    && cp target/dist/syfthub target/dist/syfthub-backend target/dist/syfthub-aggregator target/dist/syfthub-mcp /out/

# ---------------------------------------------------------------- what every service image has
# A shell and curl, because health checks and the runbook use them; no compiler, no root.
FROM debian:bookworm-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 syfthub \
    && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin syfthub \
    && mkdir -p /app/data /app/logs \
    && chown -R 10001:10001 /app
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM

# ---------------------------------------------------------------- images
FROM runtime AS backend
COPY --from=build /out/syfthub-backend /usr/local/bin/syfthub-backend
# The migration command of the runbook keeps its old name.
COPY --chmod=0755 scripts/alembic.sh /app/.venv/bin/alembic
EXPOSE 8000 9000
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=40s CMD ["curl", "-f", "http://localhost:8000/health"]
CMD ["syfthub-backend", "serve"]

FROM runtime AS aggregator
COPY --from=build /out/syfthub-aggregator /usr/local/bin/syfthub-aggregator
EXPOSE 8001 9001
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=20s CMD ["curl", "-f", "http://localhost:8001/health"]
CMD ["syfthub-aggregator", "serve"]

FROM runtime AS mcp
COPY --from=build /out/syfthub-mcp /usr/local/bin/syfthub-mcp
EXPOSE 8002
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=20s CMD ["curl", "-f", "http://localhost:8002/health"]
CMD ["syfthub-mcp", "serve"]

# The web app's files; run once, it fills the volume that the proxy serves.
FROM debian:bookworm-slim AS frontend
COPY frontend/public /srv/frontend
CMD ["sh", "-c", "rm -rf /dist/* && cp -r /srv/frontend/. /dist/ && echo 'web app files copied'"]

# Last, so that a bare `docker build .` gives the whole hub in one process.
FROM runtime AS syfthub
COPY --from=build /out/syfthub /usr/local/bin/syfthub
EXPOSE 8080
VOLUME ["/app/data"]
HEALTHCHECK --interval=30s --timeout=10s --retries=3 --start-period=20s CMD ["curl", "-f", "http://localhost:8080/health"]
CMD ["syfthub", "serve", "--listen", "0.0.0.0:8080", "--data-dir", "/app/data"]
