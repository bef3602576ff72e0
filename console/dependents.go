package console

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// How many servers are asked which services need one, at once and in all, and how long.
const (
	dependentsAtOnce = 16
	mostDependents   = 64
	dependentsTime   = 5 * time.Second
)

// nameDependents puts into a question which running services need the one that is to be
// stopped, and on which servers, and offers to stop them too.
func (c *Console) nameDependents(rq *request, ask *confirmation, names []string, service string) {
	found, silent := c.dependents(rq, names, service)
	var lines []string
	if ask.Effect != "" {
		lines = append(lines, ask.Effect)
	}
	for _, name := range keys(found) {
		lines = append(lines, name+" needs it, and runs on "+several(found[name], len(names))+".")
	}
	switch {
	case len(found) > 0:
		lines = append(lines, "Windows refuses to stop what is needed.")
		ask.Option = &option{withDependents, "Stop " + several(keys(found), 0) + " too"}
		if strings.HasPrefix(ask.Title, serviceWords["restart"]) {
			ask.Option.Label = "Restart " + several(keys(found), 0) + " too"
		}
	case len(silent) == 0:
		lines = append(lines, "No running service needs it.")
	}
	if len(silent) > 0 {
		lines = append(lines, "What needs it is not known of "+several(silent, len(names))+".")
		if ask.Option == nil {
			ask.Option = &option{withDependents, "Services that need it too"}
		}
	}
	ask.Effect = strings.Join(lines, " ")
	ask.Values.Del(withDependents)
}

// several names a few of a list, and counts the others; one that has all of them says
// so.
func several(list []string, all int) string {
	const most = 5
	switch {
	case len(list) == all && all > most:
		return "all " + countText(all)
	case len(list) <= most:
		return strings.Join(list, ", ")
	default:
		return strings.Join(list[:most], ", ") + " and " + countText(len(list)-most) + " more"
	}
}

// dependents asks servers which running services need one: the servers by the name of
// such a service, and those that did not tell.
func (c *Console) dependents(rq *request, names []string, service string) (found map[string][]string, silent []string) {
	ctx, cancel := context.WithTimeout(rq.Context(), dependentsTime)
	defer cancel()
	found = map[string][]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	turn := make(chan struct{}, dependentsAtOnce)
	for n, name := range names {
		if n >= mostDependents {
			mu.Lock()
			silent = append(silent, name)
			mu.Unlock()
			continue
		}
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			list, err := c.dependentsOn(ctx, name, service)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				silent = append(silent, name)
			}
			for _, s := range list {
				found[s.Name] = append(found[s.Name], name)
			}
		})
	}
	all.Wait()
	for _, list := range found {
		slices.Sort(list)
	}
	slices.Sort(silent)
	return found, silent
}

func (c *Console) dependentsOn(ctx context.Context, name, service string) (list []machine.Service, err error) {
	conn, err := c.pool.Connect(ctx, name)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the answer is there
	err = session(ctx, conn, "", func(s cim.Session) error {
		list, err = machine.Dependents(ctx, s, service)
		return err
	})
	return list, err
}
