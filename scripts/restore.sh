#!/bin/sh
# Puts a dump back: stops the services, restores in one transaction, starts them again. When the
# restore fails nothing has changed.
# usage: scripts/restore.sh backup/syfthub_YYYYMMDD_HHMMSS.dump      (in the folder of docker-compose.deploy.yml)
set -eu
dump=${1:?usage: scripts/restore.sh DUMP}
file=${COMPOSE_FILE:-docker-compose.deploy.yml}
[ -s "$dump" ] || { echo "$dump is not there or is empty" >&2; exit 1; }
start() { docker compose -f "$file" up -d backend aggregator mcp proxy; }
docker compose -f "$file" stop proxy mcp aggregator backend
trap start EXIT
docker compose -f "$file" exec -T db \
    pg_restore -U syfthub -d syfthub --clean --if-exists --single-transaction --exit-on-error <"$dump"
# What Redis remembers belongs to the time before the restore.
docker compose -f "$file" exec -T redis sh -c 'redis-cli --no-auth-warning -a "$0" flushall' "$(sed -n 's/^REDIS_PASSWORD=//p' .env)"
docker compose -f "$file" --profile migrate run --rm migrate
echo "restored from $dump"
