package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Prefs are what a user chose for the own eyes.
type Prefs struct {
	Theme   string `json:"theme" enum:"auto,light,dark"`
	Time    string `json:"time" enum:"local,utc,server"`
	Density string `json:"density" enum:"normal,dense"`
	// NoKeys switches the keys of one letter off.
	NoKeys bool `json:"no_keys"`
	// Columns are those of tables of servers, by id with commas; "" is as at first. Last
	// is what was last chosen for each table, the query of its URL by its path.
	Columns string            `json:"columns,omitempty"`
	Last    map[string]string `json:"last,omitempty"`
	// Views are the saved ones of the table of servers.
	Views []View `json:"views,omitempty"`
	// EventFilters are the saved ones of events.
	EventFilters []View `json:"event_filters,omitempty"`
	// Queries are the saved ones of the query explorer.
	Queries []SavedQuery `json:"queries,omitempty"`
}

// SavedQuery is a named query of the query explorer.
type SavedQuery struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	WQL       string `json:"wql"`
}

// View is a named query of the table of servers.
type View struct {
	Name  string `json:"name"`
	Query string `json:"query"` // of the URL, without its question mark
}

const prefsPrefix = "prefs/"

func prefsKey(a Account) string { return prefsPrefix + strings.ToLower(cmpOr(a.SID, a.User)) }

// prefs are those of who asks; what was not chosen has its default.
func (c *Console) prefs(rq *request) Prefs {
	p := Prefs{}
	if rq.who.Display == "" {
		if _, err := getJSON(rq.Context(), c.store, prefsKey(rq.who.Account), &p); err != nil {
			c.log.Error("what a user chose cannot be read", "user", rq.who.User, "error", err)
		}
	}
	one := func(v *string, of ...string) {
		if !slices.Contains(of, *v) {
			*v = of[0]
		}
	}
	one(&p.Theme, "auto", "light", "dark")
	one(&p.Time, "local", "utc", "server")
	one(&p.Density, "normal", "dense")
	return p
}

func (c *Console) savePrefs(ctx context.Context, a Account, p Prefs) error {
	if len(p.Queries) > 100 {
		return &problem{Status: http.StatusBadRequest, Title: "Too many", Text: "At most 100 queries are kept."}
	}
	if len(p.Views) > 100 || len(p.EventFilters) > 100 {
		return &problem{Status: http.StatusBadRequest, Title: "Too many", Text: "At most 100 views are kept."}
	}
	if b, err := json.Marshal(p); err != nil || len(b) > mostPrefs {
		return &problem{Status: http.StatusRequestEntityTooLarge, Title: "Too much", Text: "Views, queries and filters of one user are 512 KiB at most.", Next: "Remove some.", Err: err}
	}
	return putJSON(ctx, c.store, prefsKey(a), p)
}

// mostPrefs bounds what one user chose, in octets.
const mostPrefs = 512 << 10
