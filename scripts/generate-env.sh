#!/bin/sh
# Writes a complete .env for docker-compose.deploy.yml with freshly generated secrets.
# It never overwrites: the secrets in an existing file open the existing database.
#
# usage: scripts/generate-env.sh [--domain hub.example.org] [--repository your-org/syfthub] [--tag latest] [--output .env]
set -eu

domain=localhost
repository=syfthub/syfthub
tag=latest
output=.env
while [ $# -gt 0 ]; do
    case "$1" in
    --domain) domain=${2:?--domain needs a value}; shift 2 ;;
    --repository) repository=${2:?--repository needs a value}; shift 2 ;;
    --tag) tag=${2:?--tag needs a value}; shift 2 ;;
    --output) output=${2:?--output needs a value}; shift 2 ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see $0 --help" >&2; exit 2 ;;
    esac
done

command -v openssl >/dev/null || { echo "openssl is missing; install it and run this again" >&2; exit 1; }
if [ -e "$output" ]; then
    echo "$output exists and is left alone: its secrets open the existing data. Move it away to write a new one." >&2
    exit 1
fi

umask 077
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
openssl genrsa -out "$keys/private.pem" 2048 2>/dev/null
openssl rsa -in "$keys/private.pem" -pubout -out "$keys/public.pem" 2>/dev/null
# Each in an assignment of its own: a command that fails inside the text below would go unnoticed and
# leave an empty secret.
repository=$(printf %s "$repository" | tr '[:upper:]' '[:lower:]')
secret_key=$(openssl rand -hex 32)
db_password=$(openssl rand -base64 24)
redis_password=$(openssl rand -base64 24)
private_key=$(openssl base64 -A -in "$keys/private.pem")
public_key=$(openssl base64 -A -in "$keys/public.pem")
for value in "$secret_key" "$db_password" "$redis_password" "$private_key" "$public_key"; do
    [ ${#value} -ge 32 ] || { echo "openssl gave a secret that is too short; nothing was written" >&2; exit 1; }
done

# Written under another name and linked into place: complete or not there at all.
cat >"$keys/env" <<EOF
# Written by scripts/generate-env.sh. Keep it secret, keep a copy of it with your backups.
# Everything else that can be set: .env.example and docs/CONFIG.md.

# Deployment
COMPOSE_FILE=docker-compose.deploy.yml
GITHUB_REPOSITORY=$repository
IMAGE_TAG=$tag
DOMAIN=$domain
ENVIRONMENT=production

# Secrets
SECRET_KEY=$secret_key
DB_PASSWORD=$db_password
REDIS_PASSWORD=$redis_password

# RSA keys (identity provider)
RSA_PRIVATE_KEY_PEM=$private_key
RSA_PUBLIC_KEY_PEM=$public_key

# Token configuration
ACCESS_TOKEN_EXPIRE_MINUTES=30
REFRESH_TOKEN_EXPIRE_DAYS=7

# Logging
LOG_LEVEL=info
LOG_FORMAT=json
EOF
(set -C; cat "$keys/env" >"$output")
echo "$output written (mode 0600). Next: certificates in nginx/ssl/, then docker compose up -d"

# The containers run as user 10001 and write here.
folder=$(dirname "$output")
mkdir -p "$folder/data" "$folder/logs"
if ! chown -R 10001:10001 "$folder/data" "$folder/logs" 2>/dev/null; then
    echo "The services write to data and logs as user 10001. Before the first start:"
    echo "  sudo chown -R 10001:10001 $folder/data $folder/logs"
fi
