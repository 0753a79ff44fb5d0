#!/bin/sh
# Puts a dump back: stops the services, replaces everything in the database in one transaction, starts
# them again. When the restore fails nothing has changed.
# usage: scripts/restore.sh backup/syfthub_YYYYMMDD_HHMMSS.dump      (in the folder of docker-compose.deploy.yml)
set -eu
dump=${1:?usage: scripts/restore.sh DUMP}
file=${COMPOSE_FILE:-docker-compose.deploy.yml}
[ -s "$dump" ] || { echo "$dump is not there or is empty" >&2; exit 1; }
start() { docker compose -f "$file" up -d backend aggregator mcp proxy; }
trap start EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
docker compose -f "$file" stop proxy mcp aggregator backend
# The dump as SQL lies in a file first, so that a dump that cannot be read to its end ends this before
# the database is touched. The schema goes with all that is in it: tables that are newer than the dump
# would stay otherwise, and stand in the way of the migrations that make them.
docker compose -f "$file" exec -T db sh -ec '
    umask 077
    sql=$(mktemp)
    trap "rm -f \"$sql\"" EXIT
    cat >"$sql" <<END
DROP SCHEMA IF EXISTS public CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
COMMENT ON SCHEMA public IS '\''standard public schema'\'';
GRANT USAGE ON SCHEMA public TO PUBLIC;
END
    pg_restore --exit-on-error --file=- >>"$sql"
    psql -X -q -U syfthub -d syfthub -v ON_ERROR_STOP=1 --single-transaction --file="$sql" >/dev/null
' <"$dump"
# What Redis remembers belongs to the time before the restore. The password goes by standard input,
# where no list of processes shows it.
sed -n 's/^REDIS_PASSWORD=//p' .env | docker compose -f "$file" exec -T redis \
    sh -ec 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; exec redis-cli -e flushall'
docker compose -f "$file" --profile migrate run --rm migrate
echo "restored from $dump"
