#!/bin/sh
# Run by the postgres image at its first start: one role and one database for each owner, taken
# from the <OWNER>_DATABASE_URL variables, so that no password stands in two places.
set -eu

env | sed -n 's|^[A-Z_]*_DATABASE_URL=[a-z+]*://\([^:]*\):\([^@]*\)@.*|\1 \2|p' |
    while read -r owner password; do
        psql --quiet --set ON_ERROR_STOP=1 --set owner="$owner" --set password="$password" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'password';
ALTER ROLE :"owner" SET statement_timeout = '5s';
ALTER ROLE :"owner" SET lock_timeout = '2s';
ALTER ROLE :"owner" SET idle_in_transaction_session_timeout = '5s';
CREATE DATABASE :"owner" OWNER :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"owner" FROM PUBLIC;
SQL
    done
psql --quiet --command 'REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC'
