#!/bin/sh
# Writes the manual pages, the completions of four shells, and links by the names of Windows' tools in a folder that nobody's
# PATH has unless asked, below a folder, laid out as packages want them:
#   packaging/pages.sh DESTDIR [CASEMENT]
set -eu
dest=${1:?usage: packaging/pages.sh DESTDIR [CASEMENT]}
casement=${2:-bin/casement}
share=$dest/usr/share
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d" "$share/powershell"
"$casement" man "$share/man/man1"
"$casement" completion bash > "$share/bash-completion/completions/casement"
"$casement" completion zsh > "$share/zsh/site-functions/_casement"
"$casement" completion fish > "$share/fish/vendor_completions.d/casement.fish"
"$casement" completion powershell > "$share/powershell/casement.ps1"
"$casement" names install --to /usr/bin/casement "$dest/usr/lib/casement/names" > /dev/null
