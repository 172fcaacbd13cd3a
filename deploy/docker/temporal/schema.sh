#!/bin/sh
# Creates Temporal's two databases, or brings them up to date. Harmless to repeat.
set -eu

schema() {
  database="$1"
  folder="$2"
  tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST -p $SQL_PORT -u $SQL_USER --db $database"
  $tool create
  # Fails on a database that has a schema already, which update-schema then checks.
  $tool setup-schema -v 0.0 || true
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$folder/versioned"
}

schema temporal temporal
schema temporal_visibility visibility
