package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// InvokeParameters are those of KindInvoke: a method of a class or an instance.
// Code is its ReturnValue, the output its other results as a JSON object.
type InvokeParameters struct {
	Namespace string `json:"namespace,omitempty"` // "" is root\cimv2
	// Path is that of a class or instance, as Win32_Service.Name="Spooler" is.
	Path string `json:"path,omitempty"`
	// Query stands in the place of Path: the method is called on each instance that
	// it finds, at most 500. Code is then how many calls failed.
	Query  string `json:"query,omitempty"`
	Method string `json:"method"`
	// Arguments are texts; what a class declares otherwise is read from them.
	Arguments map[string]string `json:"arguments,omitempty"`
}

var actInvoke = act{limit: 2 * time.Minute, check: checkInvoke, do: doInvoke}

func checkInvoke(raw json.RawMessage) error {
	p, err := parse[InvokeParameters](raw)
	if err != nil {
		return err
	}
	if p.Query != "" && p.Path == "" && p.Method != "" {
		return nil
	}
	path, err := cim.ParsePath(p.Path)
	switch {
	case p.Query != "":
		return invalid("a call has a path or a query, and a method")
	case err != nil:
		return invalid("the path is not one of CIM: " + err.Error())
	case path.Server != "" && path.Server != ".":
		return invalid("the path names a server; the targets do that")
	case p.Method == "":
		return invalid("the method is empty")
	}
	return nil
}

func doInvoke(ctx context.Context, j *job) (Result, error) {
	p, err := parse[InvokeParameters](j.parameters)
	if err != nil {
		return Result{}, err
	}
	var in cim.Arguments
	for _, name := range slices.Sorted(maps.Keys(p.Arguments)) {
		in = append(in, cim.NamedValue{Name: name, Value: cim.Text(p.Arguments[name])})
	}
	if p.Query != "" {
		return j.invokeEach(ctx, p, in)
	}
	path, err := cim.ParsePath(p.Path)
	if err != nil {
		return Result{}, err
	}
	result, err := j.invoke(ctx, p.Namespace, path, p.Method, in)
	if err != nil {
		return Result{}, err
	}
	r := returned(result.ReturnValue, func(uint64) string { return "ReturnValue" })
	var out strings.Builder
	if len(result.Out) > 0 {
		b := []byte{'{'}
		for n, o := range result.Out {
			if n > 0 {
				b = append(b, ',')
			}
			b = appendJSON(append(appendJSON(b, o.Name), ':'), plain(o.Value))
		}
		out.Write(append(b, '}'))
	}
	if r.Output = out.String(); len(r.Output) > MaxOutput {
		r.Output, r.Cut = strings.ToValidUTF8(r.Output[:MaxOutput], ""), true
	}
	return r, nil
}

// maxInvokes bounds the instances of a query on which a method is called.
const maxInvokes = 500

// invokeEach calls a method on each instance that a query finds. It goes on after
// one that fails; the output is a line for each.
func (j *job) invokeEach(ctx context.Context, p InvokeParameters, in cim.Arguments) (Result, error) {
	// The kept connections do without classes, and only those tell which properties are keys.
	c, err := j.worker.pool.Connect(ctx, j.server.Name)
	if err != nil {
		return Result{}, err
	}
	defer c.Close() //nolint:errcheck // the answers are there
	s, err := c.Session(ctx, p.Namespace)
	if err != nil {
		return Result{}, err
	}
	defer s.Close() //nolint:errcheck // as above
	rows, err := s.Query(ctx, p.Query, cim.QueryOptions{})
	if err != nil {
		return Result{}, err
	}
	var paths []cim.ObjectPath
	err = cim.Each(ctx, rows, func(i *cim.Instance) error {
		path, whole := i.Path()
		switch {
		case !whole:
			return &cim.Error{Status: cim.ErrInvalidObjectPath, Operation: "Query", Detail: "the query does not give the keys of " + i.Class().Name}
		case len(paths) == maxInvokes:
			return &cim.Error{Status: cim.ErrInvalidParameter, Operation: "Query", Detail: fmt.Sprintf("the query finds more than %d instances", maxInvokes)}
		}
		paths = append(paths, path)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	if len(paths) == 0 {
		return Result{}, &cim.Error{Status: cim.ErrNotFound, Operation: "Query", Detail: "the query finds nothing"}
	}
	failed := 0
	var out strings.Builder
	j.sent = true
	for _, path := range paths {
		words := "done"
		switch result, err := s.Invoke(ctx, path, p.Method, in, cim.OperationOptions{Timeout: patience(ctx)}); {
		case err != nil && ctx.Err() != nil:
			return Result{}, err
		case err != nil:
			failed++
			words = err.Error()
		default:
			if r := returned(result.ReturnValue, func(n uint64) string { return fmt.Sprintf("ReturnValue %d", n) }); r.State == Failed {
				failed++
				words = r.Words
			}
		}
		fmt.Fprintf(&out, "%s: %s\n", path.Relative(), words)
	}
	r := Result{State: Done, Code: fmt.Sprint(failed), Words: fmt.Sprintf("%d of %d", len(paths)-failed, len(paths)), Output: out.String()}
	if failed > 0 {
		r.State = Failed
	}
	if len(r.Output) > MaxOutput {
		r.Output, r.Cut = strings.ToValidUTF8(r.Output[:MaxOutput], ""), true
	}
	return r, nil
}

// invoke calls a method, after the server proved that it answers us.
func (j *job) invoke(ctx context.Context, namespace string, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	s, err := j.session(ctx, namespace)
	if err != nil {
		return cim.Result{}, err
	}
	defer s.Close() //nolint:errcheck // the answer is there
	if c, err := j.connection(ctx); err == nil && c.Client() != nil {
		if _, err := c.Identify(ctx, false); err != nil {
			return cim.Result{}, err
		}
	}
	j.sent = true
	return s.Invoke(ctx, path, method, in, cim.OperationOptions{Timeout: patience(ctx)})
}

// patience is how long a server may work on one call: as long as the action may take,
// less the time to hear of it. What is asked at a refresh has a shorter one.
func patience(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(end)-answerLimit, time.Second)
}

// instanceOf is the path of the instance of a class with one key.
func instanceOf(class, key, value string) cim.ObjectPath {
	return cim.ObjectPath{Class: class, Keys: []cim.Key{{Name: key, Value: cim.Str(value)}}}
}

// serviceValues are what the methods of Win32_Service return.
var serviceValues = []string{
	"Success", "Not Supported", "Access Denied", "Dependent Services Running", "Invalid Service Control", "Service Cannot Accept Control",
	"Service Not Active", "Service Request Timeout", "Unknown Failure", "Path Not Found", "Service Already Running", "Service Database Locked",
	"Service Dependency Deleted", "Service Dependency Failure", "Service Disabled", "Service Logon Failed", "Service Marked For Deletion",
	"Service No Thread", "Status Circular Dependency", "Status Duplicate Name", "Status Invalid Name", "Status Invalid Parameter",
	"Status Invalid Service Account", "Status Service Exists", "Service Already Paused",
}

func serviceWords(n uint64) string {
	if n < uint64(len(serviceValues)) {
		return serviceValues[n]
	}
	return fmt.Sprintf("ReturnValue %d", n)
}
