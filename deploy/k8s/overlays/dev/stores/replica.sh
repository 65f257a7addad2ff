# A copy of the primary, made at the first start; then the server, with the arguments given.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  copy="$PGDATA.partial"
  mkdir -p "$(dirname "$PGDATA")"
  until rm -rf "$copy" && pg_basebackup -D "$copy" -h postgres -U traffic_manager -c fast -X stream; do sleep 1; done
  touch "$copy/standby.signal"
  rm -rf "$PGDATA"
  mv "$copy" "$PGDATA"
fi
exec postgres "$@"
