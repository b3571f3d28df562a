n=$1; shift; u=$(id -u); w=$(umask); umask 077;
say() { printf %s "assetsync:$n:$1"; echo; };
good() { test -f "$1" && test -O "$1" && test "$(cksum < "$1" 2>/dev/null)" = "$c $s"; };
safe() { test "$(ls -ldn "$1" 2>/dev/null | {
 read -r m l o r; case $m in d????-??-*) echo "$o" ;; esac; })" = "$u" || return 1;
 shift; test $# -eq 0 || ls -ldn "$@" 2>/dev/null | { while read -r m l o r; do
 case $o in 0|"$u") ;; *) exit 1 ;; esac;
 case $m in d????-??-*|d????????[tT]*) ;; *) exit 1 ;; esac; done; }; };
fit() { case $1 in /*) ;; *) return 1 ;; esac;
 test -d "$1" || mkdir -p "$1" 2>/dev/null || return 1; test -h "$1" && return 1; test -w "$1" || return 1;
 q=$(cd "$1" 2>/dev/null && pwd -P) || return 1; set --;
 while test -n "$q"; do set -- "$@" "$q"; q=${q%/*}; done; safe "$@"; };
k=$(uname -sm); k=${k%% *}-${k##* }; v=; for p; do case $p in "$k="*) v=${p#*=} ;; esac; done;
test -n "$v" || { say "unsupported:$k"; exit 1; };
h=${v%%.*}; s=${v##*.}; c=${v#*.}; c=${c%.*}; x=; y=; e=; b=;
for d in "${XDG_CACHE_HOME:-${HOME:-/dev/null}/.cache}/assetsync" "/var/tmp/assetsync-$u" "/tmp/assetsync-$u"; do
 fit "$d" || { b="$b $d"; continue; };
 a=$d/agent-$k-$h;
 test -h "$a" && rm -f "$a"; test -d "$a" && { b="$b $a"; continue; };
 if good "$a"; then test -x "$a" && { umask "$w"; exec "$a" "$n"; }; e=noexec:$d; continue; fi;
 test -n "$x" || case $(xz --version < /dev/null 2> /dev/null) in *liblzma*) y=:xz ;; esac; t=$d/new-$n;
 while :; do
 say "missing:$k$y"; test -n "$x" || read -r x || exit 1; read -r z f || exit 1; rm -f "$t";
 head -c "$z" | { case $f in xz) xz -dc ;; *) gzip -dc ;; esac > "$t" 2> /dev/null; cat > /dev/null; };
 test "$f" = xz || break; good "$t" && break; y=; done;
 good "$t" && chmod 700 "$t" && mv -f "$t" "$a" && good "$a" || { rm -f "$t"; e=damaged:$d; continue; };
 "$a" --probe < /dev/null > /dev/null 2>&1 || { e="noexec:$d (status $?)"; test -x "$a" && rm -f "$a"; continue; };
 for o in $(ls -t "$d" | grep "^agent-$k-" | tail -n +4); do rm -f "$d/$o"; done;
 umask "$w"; exec "$a" "$n";
done;
say "${e:-nowhere:$b}"; exit 1
