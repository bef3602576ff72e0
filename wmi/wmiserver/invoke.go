package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// invoke runs a method. in is an instance of the class of its in parameters, nil for none; the result is one of the class of its out
// parameters. See [MS-WMI] 3.1.4.3.22.
func (s *Server) invoke(path, method string, in *cim.Instance, values cim.NamedArray) (operation, error) {
	op := operation{subject: subject{"ExecMethod", path}}
	if path == "" || method == "" {
		return op, refuse(cim.ErrInvalidParameter, "a path and the name of a method must be given")
	}
	if err := within(path, maxPath, "the path"); err != nil {
		return op, err
	}
	if err := within(method, maxIdentifier, "the name of the method"); err != nil {
		return op, err
	}
	p, err := cim.ParsePath(path)
	if err != nil {
		return op, err
	}
	if in != nil && in.IsClass() {
		return op, refuse(cim.ErrInvalidMethodParameters, "the in parameters are an instance, not a class")
	}
	op.run = func(ctx context.Context, session cim.Session) (outcome, error) {
		r, err := session.Invoke(ctx, p, method, wmio.Arguments(in), cim.OperationOptions{Context: values})
		if err != nil {
			return outcome{}, err
		}
		out, err := s.outParameters(ctx, session, p.Class, method, r)
		return outcome{object: out}, err
	}
	return op, nil
}

// outParameters is the object of what a method gave back. One that gives nothing back gets an object without anything: the caller of a
// method waits for an object. See [MS-WMIO] 2.3.3.
func (s *Server) outParameters(ctx context.Context, session cim.Session, class, method string, r cim.Result) (*cim.Instance, error) {
	definition, err := session.GetClass(ctx, class, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	out, err := s.codec.OutParams(definition, method, r)
	if out == nil && err == nil {
		out = cim.NewInstance(nothing)
	}
	return out, err
}

var nothing = cim.NewClass("__PARAMETERS", nil).Abstract().Build("")
