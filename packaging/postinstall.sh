#!/bin/sh
# postinstall.sh server|client [ROOT]: what a package does once its files are in place. A server is manageable from the start:
# the unit is enabled and started, and its first start makes a listener. A client leaves the unit off until quickconfig enables
# it. On an upgrade everything stays as the administrator left it. ROOT is another system's root folder, for image builders.
set -eu

role=${1:-}
root=${2:-}
case $role in
server | client) ;;
*)
	echo "usage: postinstall.sh server|client [ROOT]" >&2
	exit 2
	;;
esac

systemd-sysusers ${root:+--root="$root"} casement.conf
options=$root/etc/default/casement
[ -n "$root" ] || systemctl daemon-reload
if [ ! -e "$options" ]; then
	mkdir -p "$root/etc/default"
	printf 'CASEMENT_OPTIONS="--role %s"\n' "$role" >"$options"
	if [ "$role" = server ]; then
		systemctl ${root:+--root="$root"} enable casement.service
		[ -n "$root" ] || systemctl start casement.service
	fi
elif [ -z "$root" ]; then
	systemctl try-restart casement.service
fi
