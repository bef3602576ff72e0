package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// ServiceParameters are those of KindService. Code is the ReturnValue of the
// method of Win32_Service, Words its name.
type ServiceParameters struct {
	Service string `json:"service"` // its name, not what is displayed
	// Do is start, stop, restart, pause, resume, automatic, manual or disabled.
	Do string `json:"do"`
	// Dependents has stop and restart stop the running services that need it before;
	// a restart starts them again. Without it Windows refuses to stop what is needed.
	Dependents bool `json:"dependents,omitempty"`
}

var serviceVerbs = []string{"start", "stop", "restart", "pause", "resume", "automatic", "manual", "disabled"}

var actService = act{limit: 3 * time.Minute, changes: true, check: checkService, do: doService}

func checkService(raw json.RawMessage) error {
	p, err := parse[ServiceParameters](raw)
	switch {
	case err != nil:
		return err
	case p.Service == "" || len(p.Service) > 256:
		return invalid("the name of the service is empty or too long")
	case !slices.Contains(serviceVerbs, p.Do):
		return invalid("what to do is one of " + strings.Join(serviceVerbs, ", "))
	case p.Dependents && p.Do != "stop" && p.Do != "restart":
		return invalid("services that need it are stopped by stop and restart alone")
	}
	return nil
}

func doService(ctx context.Context, j *job) (Result, error) {
	p, err := parse[ServiceParameters](j.parameters)
	if err != nil {
		return Result{}, err
	}
	path := instanceOf("Win32_Service", "Name", p.Service)
	call := func(method string, in cim.Arguments) (Result, error) {
		r, err := j.invoke(ctx, "", path, method, in)
		if err != nil {
			return Result{}, err
		}
		return returned(r.ReturnValue, serviceWords), nil
	}
	switch p.Do {
	case "start":
		return call("StartService", nil)
	case "stop":
		with, r, err := j.stopDependents(ctx, p)
		if err != nil || r.State == Failed {
			return r, err
		}
		r, err = call("StopService", nil)
		return r.along(with), err
	case "pause":
		return call("PauseService", nil)
	case "resume":
		return call("ResumeService", nil)
	case "restart":
		with, r, err := j.stopDependents(ctx, p)
		if err != nil || r.State == Failed {
			return r, err
		}
		if r, err = call("StopService", nil); err != nil || r.State == Failed && r.Code != notActive {
			return r.along(with), err
		}
		if err := j.awaitStopped(ctx, path); err != nil {
			return Result{}, err
		}
		if r, err = call("StartService", nil); err != nil || r.State == Failed {
			return r.along(with), err
		}
		return j.startAgain(ctx, r, with)
	}
	mode := map[string]string{"automatic": "Automatic", "manual": "Manual", "disabled": "Disabled"}[p.Do]
	return call("ChangeStartMode", cim.Arguments{{Name: "StartMode", Value: cim.Str(mode)}})
}

// notActive is the ReturnValue of stopping what does not run.
const notActive = "6"

// stopLimit is how long a service may take to stop, stopLook how often it is asked.
const (
	stopLimit = time.Minute
	stopLook  = 500 * time.Millisecond
)

// awaitStopped waits until a service says that it stopped.
func (j *job) awaitStopped(ctx context.Context, path cim.ObjectPath) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stopLimit, &cim.Error{Status: cim.ErrTimedOut, Detail: "it did not stop within a minute, and was not started again"})
	defer cancel()
	s, err := j.session(ctx, "")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	for {
		i, err := s.Get(ctx, path, cim.GetOptions{})
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if strings.EqualFold(textOf(i, "State"), "Stopped") {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(stopLook):
		}
	}
}

// along adds which services were stopped before.
func (r Result) along(with []string) Result {
	if len(with) > 0 {
		r.Words = strings.TrimSuffix(r.Words, ".") + "; " + strings.Join(with, ", ") + " stopped before"
	}
	return r
}

// mostDependents bounds how many services are stopped with one.
const mostDependents = 100

// stopDependents stops the running services that need the one of p, those that nobody
// needs first, and returns their names in that order.
func (j *job) stopDependents(ctx context.Context, p ServiceParameters) (stopped []string, r Result, err error) {
	if !p.Dependents {
		return nil, Result{}, nil
	}
	var order []string
	if err := j.dependents(ctx, p.Service, &order, map[string]bool{cim.Fold(p.Service): true}); err != nil {
		return nil, Result{}, err
	}
	for _, name := range order {
		path := instanceOf("Win32_Service", "Name", name)
		answer, err := j.invoke(ctx, "", path, "StopService", nil)
		if err != nil {
			return stopped, Result{}, err
		}
		if r := returned(answer.ReturnValue, serviceWords); r.State == Failed && r.Code != notActive {
			r.Words = name + ", which needs it: " + r.Words
			return stopped, r.along(stopped), nil
		}
		if err := j.awaitStopped(ctx, path); err != nil {
			return stopped, Result{}, err
		}
		stopped = append(stopped, name)
	}
	return stopped, Result{}, nil
}

// dependents adds the running services that need one, each after those that need it.
func (j *job) dependents(ctx context.Context, name string, order *[]string, seen map[string]bool) error {
	s, err := j.session(ctx, "")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // the answers are there
	path := instanceOf("Win32_Service", "Name", name)
	rows, err := s.Query(ctx, "ASSOCIATORS OF {"+path.Relative()+"} WHERE AssocClass=Win32_DependentService ResultClass=Win32_Service Role=Antecedent", cim.QueryOptions{})
	if err != nil {
		return err
	}
	var direct []string
	if err := cim.Each(ctx, rows, func(i *cim.Instance) error {
		if n := textOf(i, "Name"); strings.EqualFold(textOf(i, "State"), "Running") && !seen[cim.Fold(n)] {
			seen[cim.Fold(n)] = true
			direct = append(direct, n)
		}
		if len(seen) > mostDependents {
			return &cim.Error{Status: cim.ErrTooMuchData, Detail: fmt.Sprintf("more than %d services need it", mostDependents)}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, n := range direct {
		if err := j.dependents(ctx, n, order, seen); err != nil {
			return err
		}
		*order = append(*order, n)
	}
	return nil
}

// startAgain starts services in the order in which they need each other.
func (j *job) startAgain(ctx context.Context, r Result, stopped []string) (Result, error) {
	for _, name := range slices.Backward(stopped) {
		answer, err := j.invoke(ctx, "", instanceOf("Win32_Service", "Name", name), "StartService", nil)
		if err != nil {
			return Result{}, err
		}
		if again := returned(answer.ReturnValue, serviceWords); again.State == Failed {
			again.Words = "it was restarted, but " + name + ", which needs it, was not: " + again.Words
			return again, nil
		}
	}
	if len(stopped) > 0 {
		r.Words += "; " + strings.Join(stopped, ", ") + " too"
	}
	return r, nil
}
