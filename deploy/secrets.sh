#!/bin/sh
# Generates the secrets that docker-compose.yml mounts, in deploy/secrets. Existing
# files are neither changed nor shown. DATABASE_URL, if set, is the address of a database
# elsewhere: see external-postgres.yml.
set -eu
cd "$(dirname "$0")"

# Only the owner can enter the directory; the files are readable by the users that the
# containers run as.
mkdir -p secrets
chmod 700 secrets
cd secrets
umask 022

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { # keep NAME: write standard input to NAME unless it exists
  if [ -s "$1" ]; then cat >/dev/null; else cat >"$1"; echo "created deploy/secrets/$1"; fi
}

random | keep postgres_password
if [ -n "${DATABASE_URL:-}" ]; then
  if [ -s database_url ] && [ "$(cat database_url)" != "$DATABASE_URL" ]; then
    echo "deploy/secrets/database_url names another database than DATABASE_URL: remove the file first" >&2
    exit 1
  fi
  printf %s "$DATABASE_URL" | keep database_url
fi
if [ -s database_url ]; then # of a version before there was a role of the engine's own
  sed -n 's|^postgres://gorgone:\([^@]*\)@.*|\1|p' database_url | keep database_password
else
  random | keep database_password
  printf 'postgres://gorgone:%s@postgres:5432/gorgone?sslmode=disable' "$(cat database_password)" | keep database_url
fi
nats=$(random)
if [ ! -s nats_auth.conf ]; then rm -f nats_url nats_refresher_url; fi
printf 'gorgone_password: "%s"\n' "$nats" | keep nats_auth.conf
if ! grep -q refresher_password nats_auth.conf; then # of a version before there was one
  printf 'refresher_password: "%s"\n' "$(random)" >>nats_auth.conf
fi
nats_url() { printf 'nats://%s:%s@nats:4222' "$1" "$(sed -n "s/$1_password: \"\(.*\)\"/\1/p" nats_auth.conf)"; }
nats_url gorgone | keep nats_url
nats_url refresher | keep nats_refresher_url
routes=$(random) # of the nodes of nats-cluster.yml to each other
{
  printf 'authorization: {user: route, password: "%s"}\nroutes: [\n' "$routes"
  for node in nats-1 nats-2 nats-3; do printf '  "nats-route://route:%s@%s:6222"\n' "$routes" "$node"; done
  printf ']\n'
} | keep nats_routes.conf
random | keep grafana_password

if [ ! -s web_tokens ]; then
  token=gorgone_$(random)
  printf '%s' "$token" | keep service_token
  printf 'compose:dispatch+track+read+refresh:%s' "$(printf %s "$token" | sha256sum | cut -d' ' -f1)" | keep web_tokens
fi
# What can be left out: put a value in, without a line end or with one.
for name in nats_creds migrate_url twitter_fallback_api_key key_secrets web_webhook_key supabase_jwt_secret \
  qstash_current_signing_key qstash_next_signing_key qstash_more_signing_keys qstash_token; do
  if [ ! -e "$name" ]; then : >"$name"; fi
done
if [ ! -s twitter_api_key ]; then
  : >twitter_api_key
  echo "put the provider's API key into deploy/secrets/twitter_api_key"
fi
