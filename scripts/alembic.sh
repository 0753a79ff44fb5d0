#!/bin/sh
# Answers the migration commands of the runbook inside the backend image. Migrations are built into
# the binary; this only keeps the old command's name.
set -eu
case "${1:-} ${2:-}" in
"upgrade head") exec syfthub-backend migrate ;;
"current "*)
    echo "Migrations are applied at every start. The table schema_migrations lists them; 'upgrade head' applies what is missing."
    ;;
"revision "*)
    echo "New migrations are written in the source: make migration NAME=what_changes" >&2
    exit 2
    ;;
"downgrade "*)
    echo "Migrations only go forward. To go back, restore the backup that was made before the upgrade." >&2
    exit 2
    ;;
*)
    echo "usage: alembic upgrade head | alembic current" >&2
    exit 2
    ;;
esac
