package pool

import (
	"slices"
	"time"
)

// trim closes kept connections that nobody used for a while, and the longest
// unused ones beyond most. One that is in use stays.
func (g *gatherer) trim(idle time.Duration, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Now()
	keys := make([]string, 0, len(g.links))
	for key := range g.links {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return g.links[a].used.Compare(g.links[b].used) })
	for n, key := range keys {
		l := g.links[key]
		if now.Sub(l.used) < idle && len(keys)-n <= most {
			return
		}
		if l.holds == 0 {
			g.retire(key)
		}
	}
}
