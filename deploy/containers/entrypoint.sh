#!/bin/sh
# Starts the service that the first argument names; any other argument is a verb of the command `millrace`.
set -eu
case "${1:-}" in
    alerts | api | console | dbsync | executor | gatherer | magicbox | simulator)
        service=$1
        shift
        exec python -m "millrace_$service" "$@"
        ;;
    *) exec millrace "$@" ;;
esac
