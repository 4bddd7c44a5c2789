#!/bin/sh
# preStop hook of Asterisk's container: SIGTERM would end every call with BYE. Waits until no channel is left, for at most
# DIALPLANE_DRAIN_SECONDS (3600). The router of the pod is drained at the same time (`dialplane drain`) and refuses new calls.
# Ends with 0 when no call is left or Asterisk is gone, with 1 when the time is over or there is no command to ask Asterisk with.
: "${DIALPLANE_DRAIN_SECONDS:=3600}"
# How Asterisk's command line is reached; may hold arguments: `asterisk -C FILE` for a configuration that is not in /etc/asterisk.
: "${ASTERISK:=asterisk}"

over=$(($(date +%s) + DIALPLANE_DRAIN_SECONDS))
quiet=0
# Three looks in a row: a call may come in before the router has begun to refuse them.
while [ "$quiet" -lt 3 ]; do
  left=$((over - $(date +%s)))
  if [ "$left" -le 0 ]; then
    echo "not drained within $DIALPLANE_DRAIN_SECONDS s"
    exit 1
  fi
  # An Asterisk that stands still takes the question and never answers.
  if [ "$left" -gt 10 ]; then left=10; fi
  # shellcheck disable=SC2086
  count=$(timeout -k 1 "$left" $ASTERISK -rx 'core show channels count' 2>/dev/null)
  status=$?
  if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    count=
  elif [ "$status" -ge 125 ]; then
    echo "there is no command \"$ASTERISK\" to ask Asterisk with: calls are not waited for" >&2
    exit 1
  elif [ "$status" -ne 0 ]; then
    echo "no Asterisk answers \"$ASTERISK -rx\": nothing to wait for" >&2
    exit 0
  fi
  if echo "$count" | grep -q '^0 active channels'; then quiet=$((quiet + 1)); else quiet=0; fi
  sleep 1
done
echo drained
