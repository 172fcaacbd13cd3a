#!/bin/sh
# Waits for Temporal and creates the namespace. Harmless to repeat.
set -eu

attempt=0
until temporal operator cluster health >/dev/null 2>&1; do
  attempt=$((attempt + 1))
  [ "$attempt" -lt 60 ] || { echo "Temporal at $TEMPORAL_ADDRESS does not answer." >&2; exit 1; }
  sleep 2
done

temporal operator namespace describe -n "$LILY_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create -n "$LILY_NAMESPACE" --retention 168h
