n=$1; shift;
say() { printf %s "assetsync:$n:$1"; echo; };
good() { test -f "$1" && test -O "$1" && test "$(cksum < "$1" 2>/dev/null)" = "$c $s"; };
safe() { test -O "$1" && ls -ldn "$@" 2>/dev/null | { z=; while read -r m l o r; do
 case $m in d????-??-*) t= ;; d????????[tT]*) t=1 ;; *) exit 1 ;; esac;
 case $o in 0|"$z") ;; *) test -z "$z" || exit 1; z=$o ;; esac; q=$o; done;
 test -z "$t" && test "${z:-0}" = "$q"; }; };
fit() { case $1 in /*) ;; *) return 1 ;; esac;
 test -d "$1" || (umask 077; mkdir -p "$1" 2>/dev/null) || return 1; test -h "$1" && return 1; test -w "$1" || return 1;
 q=$(cd "$1" 2>/dev/null && pwd -P) || return 1; set --;
 while test -n "$q"; do set -- "$@" "$q"; q=${q%/*}; done; safe "$@"; };
{ read -r k < /proc/sys/kernel/ostype && read -r v < /proc/sys/kernel/arch; } 2> /dev/null && k="$k $v" ||
 k=$(uname -sm); k=${k%% *}-${k##* }; v=; for p; do case $p in "$k="*) v=${p#*=} ;; esac; done;
test -n "$v" || { say "unsupported:$k"; exit 1; };
h=${v%%.*}; s=${v##*.}; c=${v#*.}; c=${c%.*}; x=; y=; e=; b=; u=;
for d in "${XDG_CACHE_HOME:-${HOME:-/dev/null}/.cache}/assetsync" /var/tmp/assetsync- /tmp/assetsync-; do
 case $d in *-) u=${u:-$(id -u)}; d=$d$u ;; esac;
 fit "$d" || { b="$b $d"; continue; };
 a=$d/agent-$k-$h;
 test -h "$a" && rm -f "$a"; test -d "$a" && { b="$b $a"; continue; };
 if good "$a"; then test -x "$a" && exec "$a" "$n"; e=noexec:$d; continue; fi;
 test -n "$x" || case $(xz --version < /dev/null 2> /dev/null) in *liblzma*) y=:xz ;; esac; t=$d/new-$n; w=$(umask); umask 077;
 while :; do
 say "missing:$k$y"; test -n "$x" || read -r x || exit 1; read -r z f || exit 1;
 case $f in plain) head -c "$z" > "$t" ;;
 *) head -c "$z" | { case $f in xz) xz -dc ;; *) gzip -dc ;; esac > "$t" 2> /dev/null; cat > /dev/null; } ;; esac;
 good "$t" && break; rm -f "$t"; test "$f" = xz || break; y=; done; umask "$w";
 test -f "$t" && chmod 700 "$t" && mv -f "$t" "$a" || { rm -f "$t"; e=damaged:$d; continue; };
 "$a" --probe < /dev/null > /dev/null 2>&1 || { e="noexec:$d (status $?)"; test -x "$a" && rm -f "$a"; continue; };
 set -- "$d/agent-$k-"*; test $# -lt 4 ||
 for o in $(ls -t "$d" | grep "^agent-$k-" | tail -n +4); do rm -f "$d/$o"; done;
 exec "$a" "$n";
done;
say "${e:-nowhere:$b}"; exit 1
