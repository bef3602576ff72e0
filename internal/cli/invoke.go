package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newInvoke) }

func newInvoke(s Streams) *cobra.Command {
	var r remote
	var namespace string
	c := &cobra.Command{
		Use: "invoke HOST PATH METHOD [NAME=VALUE...]", Short: "Run a method of an instance or a class",
		Long: "Run a method of the instance or class that PATH names. Values get the types of the method's\n" +
			"parameters; a NAME that stands several times makes an array." + remoteHelp + `

The return value and the out parameters are printed. The method says by its return value how it
went, 0 being success for most.

Exit codes: 0 the method ran, 1 it did not, 2 wrong command line.`,
		Example: "  casement invoke here Win32_Process Create CommandLine='sleep 60'\n" +
			"  casement invoke here 'Win32_Process.Handle=\"4711\"' Terminate Reason=0\n" +
			"  casement invoke here 'Win32_Service.Name=\"cron.service\"' StopService -o json",
		Args: operands(3, -1, "a host, a path, a method, and its parameters"),
	}
	r.flags(c)
	namespaceFlag(c, &namespace)
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := cim.ParsePath(args[1])
		if err != nil {
			return usageError("the path %s cannot be read: %w", args[1], err)
		}
		if path.Namespace != "" {
			namespace = path.Namespace
		}
		given, err := parseArguments(args[3:])
		if err != nil {
			return err
		}
		return r.single(c.Context(), s, args[0], func(ctx context.Context, conn *casement.Connection) error {
			session, err := conn.Session(ctx, namespaceOf(namespace))
			if err != nil {
				return err
			}
			defer session.Close() //nolint:errcheck // what matters was said before
			in, err := typedArguments(ctx, session, path.Class, args[2], given)
			if err != nil {
				return err
			}
			result, err := session.Invoke(ctx, path, args[2], in, cim.OperationOptions{})
			if err != nil {
				return err
			}
			return printResult(s, *format, result)
		})
	}
	return c
}

// single runs do with a connection to one host.
func (r *remote) single(ctx context.Context, s Streams, host string, do func(ctx context.Context, c *casement.Connection) error) error {
	ctx, cancel := r.context(ctx)
	defer cancel()
	d, err := r.open(s, host)
	if err != nil {
		return err
	}
	defer d.close() //nolint:errcheck // a trace that cannot be closed harms nothing
	c, err := d.dial(ctx, host)
	if err != nil {
		return explain(ctx, host, err)
	}
	defer c.Close() //nolint:errcheck // what matters was said before
	err = do(ctx, c)
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return explain(ctx, host, err)
}

// argument is one parameter as it was typed.
type argument struct {
	name   string
	values []string
}

func parseArguments(words []string) ([]argument, error) {
	var list []argument
next:
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, usageError("the parameter %q is not NAME=VALUE", w)
		}
		for n := range list {
			if cim.EqualFold(list[n].name, name) {
				list[n].values = append(list[n].values, value)
				continue next
			}
		}
		list = append(list, argument{name, []string{value}})
	}
	return list, nil
}

// typedArguments gives the parameters the types that the class declares. A host that
// tells nothing of its classes gets texts.
func typedArguments(ctx context.Context, session cim.Session, class, method string, given []argument) (cim.Arguments, error) {
	var in cim.Arguments
	if len(given) == 0 {
		return nil, nil
	}
	declared, err := session.GetClass(ctx, class, cim.GetOptions{})
	switch {
	case errors.Is(err, cim.ErrNotSupported):
		for _, a := range given {
			in = append(in, cim.NamedValue{Name: a.name, Value: untyped(a.values)})
		}
		return in, nil
	case err != nil:
		return nil, err
	}
	m := declared.Method(method)
	if m == nil {
		return nil, fmt.Errorf("%w: the class %s has no method %s; it has %s", cim.ErrInvalidMethod, declared.Name, method, methodNames(declared))
	}
	for _, a := range given {
		v, name, err := typedArgument(m, a)
		if err != nil {
			return nil, err
		}
		in = append(in, cim.NamedValue{Name: name, Value: v})
	}
	return in, nil
}

func untyped(values []string) cim.Value {
	if len(values) == 1 {
		return cim.Text(values[0])
	}
	elems := make([]cim.Value, len(values))
	for n, v := range values {
		elems[n] = cim.Text(v)
	}
	return cim.Array(cim.Untyped, elems)
}

func typedArgument(m *cim.Method, a argument) (cim.Value, string, error) {
	for _, p := range m.In {
		if !cim.EqualFold(p.Name, a.name) {
			continue
		}
		if p.Type.Elem() == cim.Object {
			return cim.Value{}, "", usageError("the parameter %s of %s is an object, which cannot be typed here; 'winrm invoke' takes XML", p.Name, m.Name)
		}
		elems := make([]cim.Value, len(a.values))
		for n, text := range a.values {
			v, err := cim.ParseValue(p.Type.Elem(), text)
			if err != nil {
				return cim.Value{}, "", usageError("the parameter %s of %s is a %v, which %q is not: %w", p.Name, m.Name, p.Type, text, err)
			}
			elems[n] = v
		}
		if p.Type.IsArray() {
			return cim.Array(p.Type.Elem(), elems), p.Name, nil
		}
		if len(elems) > 1 {
			return cim.Value{}, "", usageError("the parameter %s of %s is one %v, %d values were given", p.Name, m.Name, p.Type, len(elems))
		}
		return elems[0], p.Name, nil
	}
	names := make([]string, len(m.In))
	for n, p := range m.In {
		names[n] = p.Name
	}
	return cim.Value{}, "", usageError("%s has no parameter %s; it has %s", m.Name, a.name, orNone(names))
}

func methodNames(c *cim.Class) string {
	names := make([]string, len(c.Methods))
	for n := range c.Methods {
		names[n] = c.Methods[n].Name
	}
	return orNone(names)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func printResult(s Streams, format string, result cim.Result) error {
	l := listing{format: format}
	if format == "table" {
		l.format = "list"
	}
	row := []any{}
	if !result.ReturnValue.IsNull() {
		l.columns, row = append(l.columns, "ReturnValue"), append(row, result.ReturnValue)
	}
	for _, o := range result.Out {
		l.columns, row = append(l.columns, o.Name), append(row, o.Value)
	}
	l.add(row...)
	return l.print(s.Out)
}
