# shellcheck shell=sh
#
# Starts the agent on the server. If it is not there yet, installs it first.
#
#   sh -c 'THIS SCRIPT' sh NONCE HELLO PLATFORM=HASH.CHECKSUM.SIZE...
#
# HELLO is for the agent. Then one word for each agent that the sender has: the platform as
# KERNEL-MACHINE, the agent's BLAKE3 hash, and the output of cksum for it. The messages are
# described in docs/protocol.md, and src/bootstrap.rs is the other side.
#
# This file is what people read and shellcheck checks. What is sent is made of it by minify.rs when
# the crate is built: without comments and indentation, with one-letter names, on one line. It has
# to pass through any login shell as one word in single quotes, so it contains no single quote, no
# exclamation mark, and no backslash except to continue a line. It runs under any sh: besides POSIX
# it needs test -O (owned by the user), head -c, and gzip.
#
# What it executes must be what the sender has sent, whatever other users of the server do. They can
# create any name in /tmp and /var/tmp before this script does, they see its command line with the
# nonce and the checksums in ps, and they can act between any two of its steps. The environment
# (HOME, XDG_CACHE_HOME, PATH) is the user's own, and so is the connection, which nobody else reads.
# So everything rests on one rule: the agent is kept in a directory that only the user and root can
# change (is_private), by its physical path (is_usable). In such a directory:
# - nobody else can create, rename, link or replace a file, so a name that can be guessed does no
#   harm, and what has been checked still is what is started;
# - a CRC is enough to find what is damaged or cut short. It is no protection against an attacker,
#   so it is never asked about a file that somebody else owns or can write (is_agent, is_private);
# - files and directories are made with umask 077, so they are never open to others, not even at
#   first.
# Where any of this is not so, the next directory is tried, and in the end no agent is run. The most
# that others can do is to take both names in /tmp and /var/tmp.
#
# The usual case, an agent that is there, starts two programs, ls and cksum, and then becomes the
# agent. Each one more delays every push; builtins of the shell are free.
nonce=$1
hello_word=$2
shift 2

# Sends a line to the sender. The nonce tells it from what login scripts print. printf does not end
# the line, as that would take a backslash.
say() {
    printf %s "assetsync:$nonce:$1"
    echo
}

# Whether $1 is the wanted agent, undamaged. To be asked in a private directory only.
is_agent() {
    # shellcheck disable=SC3067 # -O: every sh in use has it.
    test -f "$1" && test -O "$1" && test "$(cksum < "$1" 2> /dev/null)" = "$checksum $size"
}

# Whether nobody but the user and root can change what $directory contains, or put another one in
# its place. Takes its path and those of all its parents, none through a symbolic link, the root's
# child first.
#
# Each of them belongs to root or to the user, and nobody else may write into it. A parent may also
# be like /tmp: in a directory with the sticky bit, only the owner of an entry can rename it. (POSIX
# ACLs count: ls shows as the group's permissions what they grant at most.) Without an answer from
# ls nothing is private.
#
# $program is looked at in the same go, as ls has been started anyway: if others can write into that
# file, for example since a chmod -R of long ago, it is removed, and a new one takes its place.
# is_agent would not notice what they write, as a CRC can be forged.
is_private() {
    # shellcheck disable=SC3067,SC2012 # find can not print modes everywhere.
    # shellcheck disable=SC2034 # Some columns of ls are read and not used.
    test -O "$directory" && ls -ldn "$@" "$program" 2> /dev/null | {
        user=
        last=
        while read -r mode links owner rest; do
            # A directory, one with the sticky bit, the agent, something else in its place.
            case $mode$rest in
                d????-??-*) open= ;;
                d????????[tT]*) open=1 ;;
                -????-??-*"$program") continue ;;
                [-ps]*"$program")
                    rm -f "$program" || exit 1
                    continue ;;
                # Also a link that has taken the place of a directory just now.
                *) exit 1 ;;
            esac
            case $owner in
                0 | "$user") ;;
                *)
                    test -z "$user" || exit 1
                    user=$owner ;;
            esac
            last=$owner
        done
        # The directory itself comes last, and test -O has found it to be the user's. So if an owner
        # other than root was found, this tells whether that is the user.
        test -z "$open" && test "${user:-0}" = "$last"
    }
}

# Whether the agent may be kept in $directory, which is created if it is missing. Turns it into its
# physical path: a link on the way may be somebody else's, who can turn it elsewhere after the
# checks. What is checked has to be what is used.
is_usable() {
    case $directory in /*) ;; *) return 1 ;; esac
    test -d "$directory" || (umask 077 && mkdir -p "$directory" 2> /dev/null) || return 1
    # In /tmp, somebody else may have made it a link to any directory of the user's.
    test -h "$directory" && return 1
    test -w "$directory" || return 1
    directory=$(cd "$directory" 2> /dev/null && pwd -P) || return 1
    program=$directory/agent-$platform-$hash
    test -h "$program" && rm -f "$program"
    # Name what is in the way.
    test -d "$program" && directory=$program && return 1
    parent=$directory
    set --
    while test -n "$parent"; do
        set -- "$parent" "$@"
        parent=${parent%/*}
    done
    is_private "$@"
}

# Asks the sender for the agent until its bytes are right, and puts it in its place.
install_agent() {
    # busybox has an xz of its own, which does not unpack everything: ask for the XZ Utils.
    test -n "$hello" || case $(xz --version < /dev/null 2> /dev/null) in
        *liblzma*) unpacker=:xz ;;
    esac
    incoming=$directory/new-$nonce
    user_umask=$(umask)
    umask 077
    while :; do
        say "missing:$platform$unpacker $program"
        # The sender has said hello already, in case the agent is there. It says it again later.
        test -n "$hello" || read -r hello || exit 1
        read -r length format || exit 1
        # If unpacking stops early, the rest is read away all the same.
        case $format in
            plain) head -c "$length" > "$incoming" ;;
            *)
                head -c "$length" | {
                    case $format in xz) xz -dc ;; *) gzip -dc ;; esac > "$incoming" 2> /dev/null
                    cat > /dev/null
                } ;;
        esac
        is_agent "$incoming" && break
        rm -f "$incoming"
        # After xz there is another try, with gzip.
        test "$format" = xz || break
        unpacker=
    done
    # The agent gets the umask that the user has.
    umask "$user_umask"
    test -f "$incoming" && chmod 700 "$incoming" && mv -f "$incoming" "$program"
}

# Which platform this is. Linux 6.1 and later tell without a program having to be started.
if { read -r os < /proc/sys/kernel/ostype && read -r machine < /proc/sys/kernel/arch; } \
    2> /dev/null; then
    platform=$os-$machine
else
    platform=$(uname -sm)
    platform=${platform%% *}-${platform##* }
fi

# Which agent is wanted.
wanted=
for pair; do
    case $pair in "$platform="*) wanted=${pair#*=} ;; esac
done
test -n "$wanted" || {
    say "unsupported:$platform"
    exit 1
}
hash=${wanted%%.*}
size=${wanted##*.}
checksum=${wanted#*.}
checksum=${checksum%.*}

# Nothing of the environment is taken for a value of this script.
hello=
unpacker=
failure=
unusable=
uid=
# The last two get the user's number at their end, which takes a program to find out.
for directory in "${XDG_CACHE_HOME:-${HOME:-/dev/null}/.cache}/assetsync" \
    /var/tmp/assetsync- /tmp/assetsync-; do
    case $directory in
        *-)
            uid=${uid:-$(id -u)}
            directory=$directory$uid ;;
    esac
    is_usable || {
        unusable="$unusable $directory"
        continue
    }
    if is_agent "$program"; then
        # shellcheck disable=SC2093 # Nothing comes after it, as it becomes the agent.
        test -x "$program" && exec "$program" "$nonce" "$hello_word"
        failure=noexec:$directory
        continue
    fi
    install_agent || {
        rm -f "$incoming"
        failure=damaged:$directory
        continue
    }
    # Does it run at all here? On a file system without exec it is not even allowed to; then it
    # stays, to be found the next time and not sent again.
    "$program" --probe < /dev/null > /dev/null 2>&1 || {
        failure="noexec:$directory (status $?)"
        test -x "$program" && rm -f "$program"
        continue
    }
    # Keep the agents that were used last: senders of different versions may take turns. Every push
    # reads the agent, so the file system knows, to a day or so, when that was.
    set -- "$directory/agent-$platform-"*
    # shellcheck disable=SC2010,SC2012 # Only ls sorts by age.
    test $# -lt 4 || for old in $(ls -tu "$directory" | grep "^agent-$platform-" | tail -n +4); do
        rm -f "$directory/$old"
    done
    # shellcheck disable=SC2093
    exec "$program" "$nonce" "$hello_word"
done
say "${failure:-nowhere:$unusable}"
exit 1
