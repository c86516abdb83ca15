#!/bin/sh
# Makes the secrets of deploy/docker-compose.yml in deploy/secrets, those that are
# not there yet. Nothing that is there is changed or shown.
set -eu
cd "$(dirname "$0")"

# The folder is closed to others on this machine; the files in it can be read by
# the users that the containers run as.
mkdir -p secrets
chmod 700 secrets
cd secrets
umask 022

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { # name, content on standard input
  if [ -s "$1" ]; then cat >/dev/null; else cat >"$1"; echo "made secrets/$1"; fi
}

random | keep postgres_password
printf 'postgres://gorgone:%s@postgres:5432/gorgone?sslmode=disable' "$(cat postgres_password)" | keep database_url
nats=$(random)
if [ ! -s nats_auth.conf ]; then rm -f nats_url; fi
printf 'gorgone_password: "%s"\n' "$nats" | keep nats_auth.conf
printf 'nats://gorgone:%s@nats:4222' "$(sed 's/.*"\(.*\)".*/\1/' nats_auth.conf)" | keep nats_url
random | keep grafana_password

if [ ! -s web_tokens ]; then
  token=gorgone_$(random)
  printf '%s' "$token" | keep service_token
  printf 'compose:dispatch+track+read+refresh:%s' "$(printf %s "$token" | sha256sum | cut -d' ' -f1)" | keep web_tokens
fi
if [ ! -s twitter_api_key ]; then
  : >twitter_api_key
  echo "put the provider's API key into $(pwd)/twitter_api_key"
fi
