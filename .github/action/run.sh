#!/usr/bin/env bash
# Runs one command of Nocturne with what the action's inputs say. All of them come by the environment.
set -euo pipefail

words=("$NOCTURNE_COMMAND")
case "$NOCTURNE_COMMAND" in
iterate) ;;
propose) words+=(--finish-first) ;;
train)
    words+=("$NOCTURNE_EXPERIMENT" --handover "$RUNNER_TEMP/nocturne-handover.json")
    ;;
decide)
    printf '%s' "$NOCTURNE_HANDOVER" >"$RUNNER_TEMP/nocturne-handover.json"
    [ -n "$NOCTURNE_HANDOVER" ] || rm "$RUNNER_TEMP/nocturne-handover.json"
    words+=("$NOCTURNE_EXPERIMENT" --handover "$RUNNER_TEMP/nocturne-handover.json")
    ;;
next)
    attempt=0
    [ "$NOCTURNE_TRAINED" != false ] || attempt=$((NOCTURNE_ATTEMPT + 1))
    words+=(--attempt "$attempt")
    ;;
*)
    echo "::error title=Nocturne::command: $NOCTURNE_COMMAND is none of iterate, propose, train, decide"
    exit 2
    ;;
esac
[ -z "$NOCTURNE_CAMPAIGN" ] || words+=(--campaign "$NOCTURNE_CAMPAIGN")
exec "$NOCTURNE_BIN/nocturne" "${words[@]}"
