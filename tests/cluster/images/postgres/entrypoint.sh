#!/usr/bin/env bash
# Make the database once, then serve.
set -euo pipefail
[ "${1:-}" = postgres ] || exec "$@"
password=${POSTGRES_PASSWORD:-}
[ -z "${POSTGRES_PASSWORD_FILE:-}" ] || password=$(cat "$POSTGRES_PASSWORD_FILE")
user=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ -n "$password" ] || { echo "POSTGRES_PASSWORD is not set" >&2; exit 1; }
  mkdir -p "$PGDATA"
  initdb -D "$PGDATA" -U "$user" --auth-host=scram-sha-256 --auth-local=trust --pwfile=<(echo "$password") -E UTF8 ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses= -k /tmp" start
  [ "${POSTGRES_DB:-$user}" = postgres ] || createdb -h /tmp -U "$user" "${POSTGRES_DB:-$user}"
  pg_ctl -D "$PGDATA" -w -m fast stop
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="${PGSOCKET:-/tmp}"
