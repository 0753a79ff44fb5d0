#!/bin/sh
# Builds and runs one service and does it again whenever a source file changes.
# usage: watch-and-run PACKAGE
set -eu
package=${1:?usage: watch-and-run PACKAGE}
child=
stop() {
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
    [ -z "$child" ] || wait "$child" || true
    child=
}
trap 'stop; exit 0' TERM INT
fingerprint() {
    find Cargo.toml Cargo.lock crates proto migrations assets docs frontend -type f \
        \( -name '*.rs' -o -name '*.toml' -o -name '*.proto' -o -name '*.sql' -o -name '*.md' -o -name '*.html' \
        -o -name '*.js' -o -name '*.css' -o -name 'Cargo.lock' \) \
        -printf '%p %T@\n' 2>/dev/null | sort | cksum
}
while :; do
    seen=$(fingerprint)
    if cargo build -p "$package"; then
        stop
        "target/debug/$package" serve &
        child=$!
    fi
    while [ "$(fingerprint)" = "$seen" ]; do
        # A service that ended by itself is started again after the next change, or by compose's restart.
        if [ -n "$child" ] && ! kill -0 "$child" 2>/dev/null; then
            wait "$child" || exit 1
            exit 0
        fi
        sleep 1 &
        wait $! || true
    done
done
