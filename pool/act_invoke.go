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
	Path   string `json:"path"`
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
	path, err := cim.ParsePath(p.Path)
	switch {
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
	path, err := cim.ParsePath(p.Path)
	if err != nil {
		return Result{}, err
	}
	var in cim.Arguments
	for _, name := range slices.Sorted(maps.Keys(p.Arguments)) {
		in = append(in, cim.NamedValue{Name: name, Value: cim.Text(p.Arguments[name])})
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
	return s.Invoke(ctx, path, method, in, cim.OperationOptions{})
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
