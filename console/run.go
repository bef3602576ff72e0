package console

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
)

// runPage is the page of one command, or one change of a service, on many.
type runPage struct {
	What    string // run or service
	Targets []string
	Command string
	Service string
	Do      string
}

// maxLogged bounds the text of a command or query in the audit log, in octets.
const maxLogged = 4 << 10

func (c *Console) registerRun() {
	for _, what := range []string{"run", "service"} {
		c.page("GET /"+what, Reader, func(rq *request) error {
			q := rq.URL.Query()
			list, err := c.known(q["on"])
			if err != nil {
				return err
			}
			p := runPage{What: what, Targets: namesOf(list), Service: q.Get("service"), Do: q.Get("do")}
			title := map[string]string{"run": "Run on ", "service": "Service on "}[what] + plural(len(list), "server")
			c.render(rq, http.StatusOK, "run.html", page{Title: title, Nav: "/servers", Data: p, Command: []string{"casement pool run --on NAME,... -- COMMAND"}})
			return nil
		})
	}
	c.form("/run", Operator, c.doRun)
	c.form("/service", Operator, c.doServiceMany)
}

// logged is a command or query as the audit log has it.
func (c *Console) logged(text string) string {
	if c.settings.get().HashCommands {
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	if len(text) > maxLogged {
		return strings.ToValidUTF8(text[:maxLogged], "") + "…"
	}
	return text
}

func (c *Console) doRun(rq *request) (result, error) {
	list, err := c.known(rq.PostForm["on"])
	if err != nil {
		return result{}, err
	}
	names, command := namesOf(list), strings.TrimSpace(rq.PostForm.Get("command"))
	if command == "" {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Nothing to run", Text: "No command is typed."}
	}
	if len(names) > manyServers {
		if err := rq.confirm(confirmation{Level: 2, Title: "Run on " + plural(len(names), "server"), Effect: "Each runs, as the account that it is managed as: " + command, List: names, Do: "Run"}); err != nil {
			return result{}, err
		}
	}
	w, err := c.runCommand(rq, names, command)
	return result{Message: "Running on " + plural(len(names), "server") + ".", Location: workPage(w.ID)}, err
}

// runCommand runs a command line on servers. Who may have no shell may run nothing.
func (c *Console) runCommand(rq *request, names []string, command string) (pool.Work, error) {
	if err := c.mayShell(rq); err != nil {
		return pool.Work{}, err
	}
	a, err := actionOf(pool.KindRun, map[string]any{"command": command})
	if err != nil {
		return pool.Work{}, err
	}
	return c.start(rq, auditlog.Entry{Action: "command", Parameters: map[string]string{"command": c.logged(command)}}, a, names)
}

// mayShell tells whether the settings give who asks a shell: a command is as much, and
// any method or file that somebody chooses.
func (c *Console) mayShell(rq *request) error {
	switch c.settings.get().Shell {
	case "operators":
		return nil
	case "administrators":
		if rq.who.Role >= Administrator {
			return nil
		}
		return c.refuse(rq, Administrator)
	default:
		return &problem{Status: http.StatusForbidden, Title: "Switched off", Text: "Shells and commands are switched off in the settings of this console."}
	}
}

// serviceWords are what is done with a service, as a title says it.
var serviceWords = map[string]string{"start": "Start", "stop": "Stop", "restart": "Restart", "pause": "Pause", "resume": "Resume",
	"automatic": "Start type automatic:", "manual": "Start type manual:", "disabled": "Start type disabled:"}

// serviceVerbs are what can be done with a service, and at which level it is confirmed.
var serviceVerbs = map[string]int{"start": 0, "resume": 0, "stop": 1, "restart": 1, "pause": 1, "disabled": 1, "automatic": 0, "manual": 0}

func (c *Console) doServiceMany(rq *request) (result, error) {
	list, err := c.known(rq.PostForm["on"])
	if err != nil {
		return result{}, err
	}
	names, service, do := namesOf(list), strings.TrimSpace(rq.PostForm.Get("service")), rq.PostForm.Get("do")
	level, ok := serviceVerbs[do]
	if service == "" || !ok {
		return result{}, &problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Text: "A service and what to do with it are needed."}
	}
	if level > 0 || len(names) > manyServers {
		k := confirmation{Level: max(level, levelFor(names)), Title: serviceWords[do] + " " + service + " on " + plural(len(names), "server"), List: names, Do: strings.TrimSuffix(serviceWords[do], ":")}
		if selfCut := slices.Contains([]string{"stop", "restart", "disabled", "pause"}, do) && slices.ContainsFunc([]string{"winrm", "casement", "rpcss", "winmgmt"}, func(s string) bool { return strings.EqualFold(s, service) }); selfCut {
			k.Level, k.Effect = 2, "Casement itself will lose these servers where it comes by this service."
		}
		err := rq.confirm(k)
		if ask := (*confirmation)(nil); errors.As(err, &ask) && (do == "stop" || do == "restart") {
			c.nameDependents(rq, ask, names, service)
		}
		if err != nil {
			return result{}, err
		}
	}
	w, err := c.changeService(rq, names, pool.ServiceParameters{Service: service, Do: do, Dependents: rq.PostForm.Get(withDependents) != ""})
	return result{Message: "Asked " + plural(len(names), "server") + ".", Location: workPage(w.ID)}, err
}

// withDependents is the box to tick so that what needs a service is stopped with it.
const withDependents = "dependents"

func (c *Console) changeService(rq *request, names []string, p pool.ServiceParameters) (pool.Work, error) {
	a, err := actionOf(pool.KindService, p)
	if err != nil {
		return pool.Work{}, err
	}
	e := auditlog.Entry{Action: "service-" + p.Do, Parameters: map[string]string{"service": p.Service}}
	if p.Dependents {
		e.Parameters[withDependents] = "too"
	}
	return c.start(rq, e, a, names)
}
