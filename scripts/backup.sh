#!/bin/sh
# Writes one dump of the running deployment's database into backup/ and keeps the newest seven.
# usage: scripts/backup.sh [DIRECTORY]      (in the folder of docker-compose.deploy.yml)
set -eu
directory=${1:-backup}
file=${COMPOSE_FILE:-docker-compose.deploy.yml}
umask 077
mkdir -p "$directory"
name="syfthub_$(date +%Y%m%d_%H%M%S).dump"
part="$directory/.$name.part"
trap 'rm -f "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
docker compose -f "$file" exec -T db pg_dump -U syfthub -Fc syfthub >"$part"
mv "$part" "$directory/$name"
ls -t "$directory"/syfthub_*.dump | tail -n +8 | xargs -r rm
echo "$directory/$name"
