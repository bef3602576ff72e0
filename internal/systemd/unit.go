package systemd

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Unit is one service as the manager sees it. A zero value is unknown or unset.
type Unit struct {
	Name          string // with suffix: ssh.service
	Names         []string
	Description   string
	LoadState     string // loaded, not-found, masked, error, ...
	ActiveState   string // active, inactive, activating, deactivating, failed, ...
	SubState      string // running, exited, dead, ...
	UnitFileState string // enabled, disabled, static, masked, ...
	FragmentPath  string // the unit file

	Type            string   // simple, forking, oneshot, ...
	MainPID         uint32   // 0: no process
	ExecStart       []string // argument vector of the first command
	ExecStartPath   string   // its program
	User            string   // empty: root
	ExecMainStatus  int32    // exit status or signal of the last main process
	ExecMainCode    int32    // CLD_EXITED 1, CLD_KILLED 2, ...; 0: has not ended
	Result          string   // success, exit-code, signal, timeout, ...
	CanStart        bool
	CanStop         bool
	CanReload       bool
	Requires        []string // with the implicit ones
	Wants           []string
	RequiredBy      []string
	ActiveEnterTime time.Time
}

// Services returns all services: the loaded ones and those that only have a
// unit file. Templates and aliases are left out. A unit that goes away while
// they are read is left out too.
func (m *Manager) Services(ctx context.Context) ([]Unit, error) {
	loaded, err := m.conn.ListUnitsByPatternsContext(ctx, nil, []string{"*.service"})
	if err != nil {
		return nil, failed("list units", "", err)
	}
	files, err := m.conn.ListUnitFilesByPatternsContext(ctx, nil, []string{"*.service"})
	if err != nil {
		return nil, failed("list unit files", "", err)
	}
	names := map[string]bool{}
	for _, u := range loaded {
		if u.LoadState != "not-found" {
			names[u.Name] = true
		}
	}
	for _, f := range files {
		name := path.Base(f.Path)
		if f.Type != "alias" && !strings.Contains(name, "@.") {
			names[name] = true
		}
	}
	out := make([]Unit, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		u, err := m.Unit(ctx, name)
		if errors.Is(err, ErrNoUnit) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if u.Name == name { // else: an alias of one that is in the list itself
			out = append(out, u)
		}
	}
	return out, nil
}

// Unit returns one unit. The suffix .service may be left out. It fails with
// ErrNoUnit where neither the manager nor a unit file knows the name.
func (m *Manager) Unit(ctx context.Context, name string) (Unit, error) {
	name = withSuffix(name)
	p, err := m.conn.GetAllPropertiesContext(ctx, name)
	if err != nil {
		return Unit{}, failed("read", name, err)
	}
	u := unitOf(p)
	if u.LoadState == "not-found" {
		return Unit{}, failed("read", name, ErrNoUnit)
	}
	return u, nil
}

func unitOf(p map[string]any) Unit {
	u := Unit{
		Name: get[string](p, "Id"), Names: get[[]string](p, "Names"), Description: get[string](p, "Description"),
		LoadState: get[string](p, "LoadState"), ActiveState: get[string](p, "ActiveState"),
		SubState: get[string](p, "SubState"), UnitFileState: get[string](p, "UnitFileState"),
		FragmentPath: get[string](p, "FragmentPath"), Type: get[string](p, "Type"),
		MainPID: get[uint32](p, "MainPID"), User: get[string](p, "User"),
		ExecMainStatus: get[int32](p, "ExecMainStatus"), ExecMainCode: get[int32](p, "ExecMainCode"),
		Result: get[string](p, "Result"), CanStart: get[bool](p, "CanStart"), CanStop: get[bool](p, "CanStop"),
		CanReload: get[bool](p, "CanReload"), Requires: get[[]string](p, "Requires"), Wants: get[[]string](p, "Wants"),
		RequiredBy: get[[]string](p, "RequiredBy"), ActiveEnterTime: microseconds(get[uint64](p, "ActiveEnterTimestamp")),
	}
	// a(sasbttttuii): program, argument vector, ...
	if cmds := get[[][]any](p, "ExecStart"); len(cmds) > 0 && len(cmds[0]) >= 2 {
		u.ExecStartPath, _ = cmds[0][0].(string)
		u.ExecStart, _ = cmds[0][1].([]string)
	}
	return u
}

// get returns a property, or zero where it is missing or of another type.
func get[T any](p map[string]any, name string) T {
	v, _ := p[name].(T)
	return v
}
