package service

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/casementhq/casement/shell"
)

// Tools is a folder with links to this program by the names of Windows' tools, so
// that a line such as Configure-SMRemoting.exe -get does in a remote shell what it
// does on Windows. The zero value is none.
type Tools struct {
	Dir string
	// Everybody tells that each user reaches the folder and what its links lead to.
	// Without it the service's own user and root have it, and nobody else.
	Everybody bool
}

// searchPath is where the programs of a Unix user are looked for.
func (t Tools) searchPath(id shell.Identity) string {
	if t.Dir == "" || strings.ContainsAny(t.Dir, ":\x00") || !t.Everybody && !ownsState(id) {
		return shell.DefaultPath
	}
	return shell.DefaultPath + ":" + t.Dir // last: the machine's own programs go before
}

// ownsState tells whether commands of a user may change the state folder.
func ownsState(id shell.Identity) bool {
	return id.UID == 0 || int64(id.UID) == int64(os.Geteuid())
}

// toolStarter starts commands that find the tools, and those of who may change the
// state with the name of its folder. What the caller named himself stays.
type toolStarter struct {
	shell.Starter

	tools Tools
	state string
}

func (s toolStarter) Start(ctx context.Context, spec shell.Spec) (*shell.Job, error) {
	if s.tools.Dir == "" {
		return s.Starter.Start(ctx, spec)
	}
	if spec.Env == nil {
		spec.Env = shell.BaseEnv(spec.Identity)
	}
	spec.Env = slices.Clone(spec.Env)
	named := false
	for n, kv := range spec.Env {
		if kv == "PATH="+shell.DefaultPath {
			spec.Env[n] = "PATH=" + s.tools.searchPath(spec.Identity)
		}
		named = named || strings.HasPrefix(kv, "CASEMENT_STATE=")
	}
	if !named && ownsState(spec.Identity) {
		spec.Env = append(spec.Env, "CASEMENT_STATE="+s.state)
	}
	return s.Starter.Start(ctx, spec)
}
