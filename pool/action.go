package pool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// MaxOutput bounds the output of a result, in octets; what is beyond is cut.
const MaxOutput = 256 << 10

// act is what the pool knows of a kind of action; each has a file of its own.
type act struct {
	// repeats tells that it may be done twice.
	repeats bool
	// changes tells that the server is not what it was: it is asked anew at the end.
	changes bool
	// limit is how long it may take on one server.
	limit time.Duration
	// check tells what is wrong with the parameters.
	check func(json.RawMessage) error
	// do does it on one server. An error is told apart by failed.
	do func(context.Context, *job) (Result, error)
}

var acts = map[Kind]act{
	KindRefresh: actRefresh, KindDoctor: actDoctor, KindQuery: actQuery, KindRun: actRun, KindInvoke: actInvoke,
	KindService: actService, KindRemoteManagement: actRemoteManagement, KindCopy: actCopy,
}

// job is an action on one server.
type job struct {
	worker     *worker
	server     Server
	parameters json.RawMessage
	link       *link
	// sent tells that the request may have reached the server: what fails after that
	// has an unknown outcome unless the server says so.
	sent bool
}

// parse reads the parameters of an action: cim.ErrInvalidParameter. Names that
// are not known are refused.
func parse[T any](raw json.RawMessage) (p T, err error) {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, invalid("these are not its parameters: " + err.Error())
	}
	return p, nil
}

func invalid(detail string) error {
	return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "check the action", Detail: detail}
}

// Parameters makes an action of its kind and parameters, as QueryParameters is
// one.
func NewAction(kind Kind, parameters any) (Action, error) {
	raw, err := json.Marshal(parameters)
	a := Action{Kind: kind, Parameters: raw}
	if err == nil {
		err = a.Check()
	}
	return a, err
}

// Check tells what is wrong with an action: cim.ErrInvalidParameter.
func (a Action) Check() error {
	known, ok := acts[a.Kind]
	if !ok {
		return invalid(fmt.Sprintf("there is no action %q", a.Kind))
	}
	if len(a.Parameters) > bound {
		return invalid("its parameters are too long")
	}
	return known.check(a.Parameters)
}

// bound is how long the parameters of an action may be, in octets.
const bound = 900 << 10

// connection is the kept one over the transport that the server is reached by.
func (j *job) connection(ctx context.Context) (*casement.Connection, error) {
	t := j.server.Transport
	if t == Automatic {
		if e, ok := j.worker.pool.fleet.get(keyOf(j.server.Name)); ok && e.Snapshot != nil {
			t = e.Snapshot.Transport
		}
	}
	return j.link.connection(ctx, t)
}

// session opens a namespace, root\cimv2 for "".
func (j *job) session(ctx context.Context, namespace string) (cim.Session, error) {
	c, err := j.connection(ctx)
	if err != nil {
		return nil, err
	}
	return c.Session(ctx, namespace)
}

// proven is the connection over WinRM, after the server proved that it answers
// us: what fails before the action was sent did not happen.
func (j *job) proven(ctx context.Context) (*casement.Connection, error) {
	c, err := j.link.overWinRM(ctx)
	if err != nil {
		return nil, err
	}
	if _, err = c.Identify(ctx, false); err != nil {
		return nil, err
	}
	return c, nil
}

// outcomeOf makes a result of an error: failed where the server refused or was
// never reached, unknown where the request was sent and no answer came.
func outcomeOf(j *job, err error) Result {
	code, _ := codeOf(err)
	r := Result{State: Failed, Code: hexOf(code), Words: sentence(err), NotRun: !j.sent}
	if j.sent && !answered(err) {
		r.State = OutcomeUnknown
		r.Words = "it was sent, and no answer came: " + r.Words
	}
	return r
}

// answered tells whether the server itself said what went wrong.
func answered(err error) bool {
	var f *wsman.Fault
	var own *cim.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), lost(err):
		return false
	case errors.As(err, &f):
		return f.Err == nil
	case errors.As(err, &own):
		return own.Remote || own.Status != cim.ErrTransportFailure && own.Err == nil
	}
	return false
}

// returned makes a result of a method's ReturnValue, 0 being success.
func returned(value cim.Value, words func(uint64) string) Result {
	n, ok := value.Uint()
	if !ok {
		if i, signed := value.Int(); signed && i >= 0 {
			n, ok = uint64(i), true
		} else if text, isText := value.Str(); isText {
			_, err := fmt.Sscanf(text, "%d", &n)
			ok = err == nil
		}
	}
	if !ok {
		return Result{State: Done}
	}
	r := Result{State: Done, Code: fmt.Sprint(n), Words: words(n)}
	if n != 0 {
		r.State = Failed
	}
	return r
}
