#!/bin/sh
# newcomer.sh WORK [USER]: does what somebody does who has just heard of Casement. It clones the repository into the empty
# folder WORK, runs the README's first command and pastes the three commands that this prints, exactly as they stand; as USER
# where one is given (from root). Modules come from the module cache of this machine, not from the network.
# Exit codes: 0 all of it works, 1 something does not, 77 it cannot be tried here and the last line says why.
set -eu

fail() {
	echo "newcomer: $*" >&2
	for f in up.out up.err; do
		[ -f "$work/$f" ] && sed "s/^\(Password *\).*/\1.../; s/^/$f: /" "$work/$f" >&2
	done
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

prepare() {
	command -v git >/dev/null || skip "git is not installed"
	command -v make >/dev/null || skip "make is not installed"
	[ ! -e /tmp/README.md ] || skip "/tmp/README.md exists, and the third command would replace it"
	repo=$(cd "$(dirname "$0")/../.." && pwd)
	git -C "$repo" rev-parse -q --verify HEAD >/dev/null 2>&1 || skip "this is not a clone with a commit"
	modules=$(cd "$repo" && go env GOMODCACHE)
	git clone -q "$repo" "$work/casement"
	mkdir -p "$work/home"
	export GOPROXY="file://$modules/cache/download" GONOSUMDB='*' GOTOOLCHAIN=local GOFLAGS="-modcacherw ${GOFLAGS:-}"
	export GOPATH="$work/go" GOMODCACHE="$work/go/pkg/mod" GOCACHE="$work/gocache"
	if [ -n "$user" ]; then
		# The new user may read neither our cache nor our modules: fill the user's.
		(cd "$work/casement" && CGO_ENABLED=0 go build -trimpath -o "$work/warm" ./cmd/casement) || exit 1
		chown -R "$user" "$work"
	else
		GOCACHE=$own_cache
		export GOCACHE
	fi
}

# child prints the process that make runs.
child() { cut -d ' ' -f 1 "/proc/$1/task/$1/children"; }

newcomer() {
	cd "$work/casement"
	unset CASEMENT_HOSTS CASEMENT_STATE XDG_CONFIG_HOME XDG_STATE_HOME SUDO_UID
	make run ARGS="--state $work/state --http 127.0.0.1:0 --https 127.0.0.1:0" >"$work/up.out" 2>"$work/up.err" &
	make=$!
	trap 'kill -TERM $(child $make) 2>/dev/null; kill -TERM $make 2>/dev/null' EXIT
	tries=0
	until grep -q '^Ctrl-C' "$work/up.out"; do
		kill -0 $make 2>/dev/null || fail "make run ended"
		tries=$((tries + 1))
		[ $tries -lt 1500 ] || fail "make run says nothing after five minutes"
		sleep 0.2
	done
	sed -n 's/^  //p' "$work/up.out" >"$work/commands"
	[ "$(wc -l <"$work/commands")" = 3 ] || fail "it does not print three commands to paste"
	n=0
	while read -r line; do
		n=$((n + 1))
		echo "\$ $line"
		timeout 60 sh -c "$line" </dev/null >"$work/$n.out" 2>"$work/$n.err" || fail "command $n ends with $?: $(cat "$work/$n.out" "$work/$n.err")"
		cat "$work/$n.out"
	done <"$work/commands"
	system=$(. /etc/os-release && echo "$PRETTY_NAME")
	grep -qF "$system" "$work/1.out" || fail "the query does not tell that this is $system"
	[ "$(cat "$work/2.out")" = "$(uname -a)" ] || fail "uname -a gives something else here: $(uname -a)"
	cmp README.md /tmp/README.md || fail "the copy differs"
	[ -z "$(cat "$work"/[123].err)" ] || fail "the commands complain: $(cat "$work"/[123].err)"
	hosts="$HOME/.config/casement/hosts.json"
	[ "$(stat -c '%a %u' "$hosts")" = "600 $(id -u)" ] || fail "the hosts file is open to others: $(ls -l "$hosts")"
	kill -TERM "$(child $make)"
	wait $make || fail "after SIGTERM, make run ends with $?"
	trap - EXIT
	grep -q '^casement: ended' "$work/up.err" || fail "casement does not say that it ended"
}

work=$1
user=${2:-}
if [ "${NEWCOMER:-}" = yes ]; then
	newcomer
	exit 0
fi
own_cache=$(go env GOCACHE)
prepare
# What root's run leaves outside of WORK.
policy=/var/lib/casement-helper/$(printf %s "$work/state" | sha256sum | cut -c 1-16).json
trap 'rm -f /tmp/README.md "$policy"' EXIT
export HOME="$work/home" NEWCOMER=yes
if [ -z "$user" ]; then
	sh "$0" "$work"
else
	cp "$0" "$work/newcomer.sh"
	su -s /bin/sh "$user" -c "HOME='$HOME' PATH='$PATH' sh '$work/newcomer.sh' '$work'"
fi
