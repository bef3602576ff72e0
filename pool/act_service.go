package pool

import (
	"context"
	"encoding/json"
	"errors"
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
		return call("StopService", nil)
	case "pause":
		return call("PauseService", nil)
	case "resume":
		return call("ResumeService", nil)
	case "restart":
		r, err := call("StopService", nil)
		if err != nil || r.State == Failed && r.Code != notActive {
			return r, err
		}
		if err := j.awaitStopped(ctx, path); err != nil {
			return Result{}, err
		}
		return call("StartService", nil)
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
