# shellcheck shell=sh
#
# Removes what assetsync left on a host: the work directory of one destination, and the agents of
# the user. What is served is never touched: all that is removed has a name that only assetsync
# gives.
#
# It is sent on standard input, after assignments of what is asked:
#   nonce        marks its lines, among what login shells print
#   destination  the directory, as it is given for a push
#   removes      empty if it is only to say what would be removed
# src/uninstall.rs reads the lines. Nothing is removed before all locks are taken.
# shellcheck disable=SC2154 # These three.

# Sends a line.
say() {
    printf '%s\n' "assetsync:$nonce:$1"
}

# Ends with a reason, and the path that it is about.
stop() {
    say "$1:$2"
    exit 1
}

# The destination as an agent finds it.
# shellcheck disable=SC2088 # It is not to be expanded there.
case $destination in
    "~" | "~/"*) destination=$HOME${destination#"~"} ;;
    "~"*)
        user=${destination%%/*}
        case $user in "~"*[!A-Za-z0-9_.-]*) stop missing "$destination" ;; esac
        eval "home=$user"
        destination=$home${destination#"$user"} ;;
esac
while test "$destination" != / && test "$destination" != "${destination%/}"; do
    destination=${destination%/}
done

# Its path without links. Without it, there may still be a work directory beside it.
unset CDPATH
case $destination in
    */*) parent=${destination%/*}/ name=${destination##*/} ;;
    *) parent=. name=$destination ;;
esac
if test -d "$destination"; then
    root=$(cd -- "$destination" && pwd -P) || stop closed "$destination"
    say "live:$root"
else
    parent=$(cd -- "$parent" && pwd -P) || stop missing "$destination"
    root=${parent%/}/$name
fi

set --
test "$root" = / || set -- "${root%/*}/.assetsync-${root##*/}"
set -- "$@" "${root%/}/.assetsync"

# Whether a path is a work directory.
is_work() {
    test -d "$1" && ! test -h "$1"
}

# Takes the lock of a work directory as a push does, for as long as this script runs, by a
# descriptor of its own.
hold() {
    # A push over SFTP has no lock, only a directory that it fills.
    test -z "$(find "$1" -maxdepth 1 -type d -name 'sftp-*' -mmin -60)" || stop sftp "$1"
    # Where the file system has no locks, a file counts that was renewed just now.
    test -z "$(find "$1" -maxdepth 1 -name lock.held -mmin -2)" || stop held "$1"
    if ! test -f "$1/lock" || test -h "$1/lock"; then return; fi
    command -v flock > /dev/null 2>&1 || stop unlockable "$1"
    test -r "$1/lock" || stop closed "$1"
    # NFS wants it to be writable.
    if test -w "$1/lock"; then
        case $2 in 8) exec 8<> "$1/lock" ;; *) exec 9<> "$1/lock" ;; esac
    else
        case $2 in 8) exec 8< "$1/lock" ;; *) exec 9< "$1/lock" ;; esac
    fi
    flock -n "$2"
    test $? != 1 || {
        say "holder:$(head -n 1 "$1/lock")"
        stop held "$1"
    }
    # Who only looks keeps no push waiting.
    test -n "$removes" || flock -u "$2"
}

descriptor=8
for work; do
    is_work "$work" && hold "$work" "$descriptor"
    descriptor=9
done

# Renamed first, so that an interrupted removal leaves nothing that a push would take for its own.
remove() {
    gone=${1%/*}/.assetsync-removed-$nonce
    mv "$1" "$gone" && rm -rf "$gone"
}

for work; do
    is_work "$work" || continue
    test -z "$removes" || remove "$work" || {
        say "left:$work"
        continue
    }
    say "work:$work"
done

uid=$(id -u)
for directory in "${XDG_CACHE_HOME:-${HOME:-/dev/null}/.cache}/assetsync" \
    "/var/tmp/assetsync-$uid" "/tmp/assetsync-$uid"; do
    # shellcheck disable=SC3067 # -O: every sh in use has it.
    if ! test -d "$directory" || test -h "$directory" || ! test -O "$directory"; then continue; fi
    agents=$(find "$directory" -maxdepth 1 -type f -name 'agent-*' | wc -l)
    test "$agents" -gt 0 || continue
    if test -n "$removes"; then
        # What was being installed an hour ago never will be.
        find "$directory" -maxdepth 1 -type f -name 'new-*' -mmin +60 -exec rm -f {} +
        find "$directory" -maxdepth 1 -type f -name 'agent-*' -exec rm -f {} + || {
            say "left:$directory"
            continue
        }
        # The store of who pushes from this host stays.
        rmdir "$directory" 2> /dev/null
    fi
    say "agents:$directory"
done
say done:
