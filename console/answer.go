package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// result is what came of an action, as a person reads it.
type result struct {
	Message string `json:"message"`
	// Location is where to go on; "" is where the request came from.
	Location string `json:"location,omitempty"`
	// Undo is a form that takes it back, nil where nothing does.
	Undo *undo `json:"undo,omitempty"`
	// Reload tells that the page shows something else now: it is loaded anew, and
	// has the message.
	Reload bool `json:"reload,omitempty"`
	// Secret is shown once.
	Secret string `json:"secret,omitempty"`
}

type undo struct {
	Path   string     `json:"path"`
	Values url.Values `json:"values"`
}

// confirmation asks before an action is done. See spec/console.md 3.6. It is an
// error, so that an action returns it.
type confirmation struct {
	Level  int      `json:"level"`
	Title  string   `json:"title"`
	Effect string   `json:"effect,omitempty"`
	List   []string `json:"list,omitempty"` // of what it is done to, as names
	Type   string   `json:"type,omitempty"` // what must be typed at level 2
	What   string   `json:"what,omitempty"` // what that is: "the number of servers"
	Do     string   `json:"do"`             // the button
	// Option is something that may be chosen besides, nil where there is nothing.
	Option *option `json:"option,omitempty"`
	// Path and Values are the request once more.
	Path   string     `json:"path"`
	Values url.Values `json:"values"`
	Again  string     `json:"again,omitempty"` // why it is asked again
}

// option is a box to tick; its name goes along with the value yes.
type option struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

func (c *confirmation) Error() string { return c.Title }

// confirm asks for a confirmation unless the request has it. The list is what the
// request names; a filter is never sent.
func (rq *request) confirm(k confirmation) error {
	if k.Level >= 2 && k.Type == "" {
		k.Type, k.What = strconv.Itoa(len(k.List)), "the number of servers"
		if len(k.List) == 1 {
			k.Type, k.What = k.List[0], "the name"
		}
	}
	if rq.PostForm.Get("confirmed") == strings.Join(k.List, ",") {
		if k.Level < 2 || strings.EqualFold(strings.TrimSpace(rq.PostForm.Get("typed")), k.Type) {
			return nil
		}
		k.Again = "What was typed is not " + k.Type + ". Nothing was done."
	} else if rq.PostForm.Has("confirmed") {
		k.Again = "The list has changed since the dialog was opened. Nothing was done."
	}
	k.Path = rq.URL.Path
	k.Values = url.Values{}
	for name, v := range rq.PostForm {
		if name != "confirmed" && name != "typed" && (k.Option == nil || name != k.Option.Name) {
			k.Values[name] = v
		}
	}
	k.Values.Set("confirmed", strings.Join(k.List, ","))
	return &k
}

// scripted tells whether the page's script asks, which takes JSON.
func (rq *request) scripted() bool {
	return strings.HasPrefix(rq.Request.Header.Get("Accept"), "application/json")
}

// answerKind is the kind of answer that the page's script takes: a question or what failed
// is no error of its request, and so none in the browser's console.
const answerKind = "application/vnd.casement.answer+json"

// unasked is the status of an answer to a script where the page's own gets 200.
func (rq *request) unasked(status int) int {
	if strings.Contains(rq.Request.Header.Get("Accept"), answerKind) {
		return http.StatusOK
	}
	return status
}

// form registers a form of a page: it changes something, and answers with what came
// of it, with a question, or with what failed; to the script as JSON, else as pages.
func (c *Console) form(pattern string, role Role, do func(*request) (result, error)) {
	c.page("POST "+pattern, role, func(rq *request) error {
		if strings.HasPrefix(rq.Request.Header.Get("Content-Type"), "multipart/form-data") {
			if err := rq.ParseMultipartForm(maxBody); err != nil {
				return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read; at most 8 MiB are taken."}
			}
		} else if err := rq.ParseForm(); err != nil {
			return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "The form could not be read."}
		}
		r, err := do(rq)
		var ask *confirmation
		switch {
		case errors.As(err, &ask) && rq.scripted():
			return rq.json(rq.unasked(http.StatusConflict), map[string]any{"confirm": ask})
		case errors.As(err, &ask):
			c.render(rq, http.StatusOK, "confirm.html", page{Title: ask.Title, Nav: "/servers", Data: struct {
				*confirmation

				Back string
			}{ask, local(rq.PostForm.Get("back"))}})
			return nil
		case err != nil && rq.scripted():
			p := rq.problemOf(err)
			if rq.unasked(p.Status) == http.StatusOK {
				if p.Status >= http.StatusInternalServerError {
					c.log.Error("a request of the console failed", "request", rq.id, "path", rq.URL.Path, "user", rq.who.User, "error", err)
				}
				return rq.json(http.StatusOK, map[string]any{"problem": p.Error(), "request": rq.id})
			}
			writeProblem(rq, p)
			return nil
		case err != nil:
			return err
		}
		back := local(cmpOr(r.Location, rq.PostForm.Get("back")))
		if rq.scripted() {
			r.Location = back
			if r.Reload {
				c.setFlash(rq, r)
			}
			return rq.json(http.StatusOK, r)
		}
		if r.Secret != "" { // which is written nowhere, not even for the next page
			c.render(rq, http.StatusOK, "made.html", page{Title: "Made", Nav: "/settings", Data: r})
			return nil
		}
		c.setFlash(rq, r)
		http.Redirect(rq, rq.Request, back, http.StatusSeeOther)
		return nil
	})
}

// keyFlash is where a session keeps what the next page says.
const keyFlash = "flash"

func (c *Console) setFlash(rq *request, r result) {
	if rq.who.Session == "" {
		return
	}
	b, err := json.Marshal(r) // #nosec G117 -- a result with a secret is not kept
	if err != nil || r.Secret != "" {
		return
	}
	c.sessions.Put(rq.Context(), keyFlash, string(b))
	if _, _, err := c.sessions.Commit(rq.Context()); err != nil {
		c.log.Error("a session cannot be written", "error", err)
	}
}

// takeFlash is what the page says about what was done before it.
func (c *Console) takeFlash(rq *request) *result {
	if rq.who.Session == "" || rq.Method != http.MethodGet {
		return nil
	}
	text := c.sessions.PopString(rq.Context(), keyFlash)
	if text == "" {
		return nil
	}
	if _, _, err := c.sessions.Commit(rq.Context()); err != nil {
		c.log.Error("a session cannot be written", "error", err)
	}
	var r result
	if json.Unmarshal([]byte(text), &r) != nil {
		return nil
	}
	return &r
}
