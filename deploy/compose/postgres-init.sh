#!/bin/sh
# Run by the postgres image at its first start: two roles and one database for each owner, taken
# from the <OWNER>_DATABASE_URL and <OWNER>_MIGRATION_URL variables, so that no password stands in
# two places. The second role owns the database; `crm migrate` gives the first one its rights.
set -euf # a password may hold what stands for file names

login() { # VARIABLE: the role and the password in its address
    printenv "$1" | sed -n 's|^[a-z+]*://\([^:]*\):\([^@]*\)@.*|\1 \2|p'
}

for owner in $(env | sed -n 's/^\([A-Z_]*\)_DATABASE_URL=.*/\1/p'); do
    # shellcheck disable=SC2046 # two words each
    set -- $(login "${owner}_DATABASE_URL") $(login "${owner}_MIGRATION_URL")
    psql --quiet --set ON_ERROR_STOP=1 \
        --set service="$1" --set password="$2" \
        --set migration="$3" --set owner_password="$4" <<'SQL'
CREATE ROLE :"service" LOGIN CONNECTION LIMIT 150 PASSWORD :'password';
ALTER ROLE :"service" SET statement_timeout = '5s';
ALTER ROLE :"service" SET lock_timeout = '2s';
ALTER ROLE :"service" SET idle_in_transaction_session_timeout = '5s';
CREATE ROLE :"migration" LOGIN CONNECTION LIMIT 10 PASSWORD :'owner_password';
ALTER ROLE :"migration" SET lock_timeout = '2s';
ALTER ROLE :"migration" SET idle_in_transaction_session_timeout = '60s';
CREATE DATABASE :"service" OWNER :"migration";
REVOKE CONNECT, TEMPORARY ON DATABASE :"service" FROM PUBLIC;
SQL
done
psql --quiet --command 'REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC'
