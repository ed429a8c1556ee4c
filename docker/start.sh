#!/bin/sh
# Starts hoifield where only /out can be written: what can be computed again and temporary files go below /out/.hoifield, which begins
# as a copy of what was computed when the image was built.
set -eu

# `docker run hoifield fit` and `docker run hoifield hoifield fit` are the same.
if [ "${1:-}" = hoifield ]; then shift; fi

ready=/opt/hoifield-cache
# One folder for each build of the image, so that a newer one never reads an older one's.
HOIFIELD_CACHE="${HOIFIELD_CACHE:-/out/.hoifield/$(cat $ready/name)}"
if [ ! -d "$HOIFIELD_CACHE/numba" ]; then
    # Renamed into place when whole: two containers may start at once on one folder. One of them loses, and finds the other's copy.
    if ! { mkdir -p "$(dirname "$HOIFIELD_CACHE")" && copy="$(mktemp -d "$HOIFIELD_CACHE.XXXXXX")"; }; then
        echo "/out cannot be written by user $(id -u): mount a folder of that user, or say --user with yours" >&2
        exit 73
    fi
    cp -R "$ready/." "$copy"
    mkdir "$copy/temporary"
    mv --no-target-directory "$copy" "$HOIFIELD_CACHE" 2> /dev/null || rm -rf "$copy"
fi
export HOIFIELD_CACHE
export NUMBA_CACHE_DIR="$HOIFIELD_CACHE/numba"
export TMPDIR="$HOIFIELD_CACHE/temporary"
exec hoifield "$@"
