package wmiclient

import (
	"context"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
)

// Get implements cim.Session. See [MS-WMI] 3.1.4.3.4.
func (s *Session) Get(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	const op = "GetObject"
	i, err := s.get(ctx, path, o)
	if err == nil && i.IsClass() {
		err = &cim.Error{Status: cim.ErrInvalidObjectPath, Detail: "the path names a class"}
	}
	if err != nil {
		return nil, s.fail(op, path.Relative(), err)
	}
	if p := newProjection(o.Properties); p != nil {
		i = p.apply(i)
	}
	return i, nil
}

// GetClass implements cim.Session. See [MS-WMI] 3.1.4.3.4.
func (s *Session) GetClass(ctx context.Context, name string, o cim.GetOptions) (*cim.Class, error) {
	class, err := s.getClass(ctx, "", name, o)
	return class, s.fail("GetClass", name, err)
}

func (s *Session) getClass(ctx context.Context, namespace, name string, o cim.GetOptions) (*cim.Class, error) {
	o.Properties = nil
	i, err := s.get(ctx, cim.ObjectPath{Namespace: namespace, Class: name}, o)
	if err != nil {
		return nil, err
	}
	if !i.IsClass() {
		return nil, &cim.Error{Status: cim.ErrTransportFailure, Detail: "the host gave an instance for a class", Remote: true}
	}
	return i.Class(), nil
}

func (s *Session) get(ctx context.Context, path cim.ObjectPath, o cim.GetOptions) (*cim.Instance, error) {
	if path.Class == "" {
		return nil, &cim.Error{Status: cim.ErrInvalidObjectPath, Detail: "the path names no class"}
	}
	ctx, cancel := s.limit(ctx, o.OperationOptions)
	defer cancel()
	var i *cim.Instance
	err := s.do(ctx, path.Namespace, func(services *Services) (err error) {
		i, _, err = services.GetObject(ctx, path.Relative(), amended(o.Amended), partialGet(o.Context, o.Properties, false))
		return err
	})
	if err == nil && i == nil {
		err = errNoObject
	}
	return i, err
}

func amended(on bool) uint32 {
	if on {
		return wmi.FlagUseAmendedQualifiers
	}
	return 0
}

// partialGet adds to a context that some properties are enough, which a provider may heed. See "Supporting Partial Instance Operations".
func partialGet(context cim.NamedArray, properties []string, keysOnly bool) cim.NamedArray {
	if properties == nil && !keysOnly {
		return context
	}
	values := append(cim.NamedArray{}, context...)
	values = append(values, cim.NamedValue{Name: "__GET_EXTENSIONS", Value: cim.Bool(true)}, cim.NamedValue{Name: "__GET_EXT_CLIENT_REQUEST", Value: cim.Bool(true)})
	if keysOnly {
		return append(values, cim.NamedValue{Name: "__GET_EXT_KEYS_ONLY", Value: cim.Bool(true)})
	}
	return append(values, cim.NamedValue{Name: "__GET_EXT_PROPERTIES", Value: cim.Strs(properties)})
}

// EnumerateClasses implements cim.Session. See [MS-WMI] 3.1.4.3.10.
func (s *Session) EnumerateClasses(ctx context.Context, superclass string, deep bool) ([]*cim.Class, error) {
	e := &enumerator{operation: "CreateClassEnum", path: superclass}
	flags := semisynchronous
	if !deep {
		flags |= wmi.FlagShallow
	}
	_, err := s.enumerate(ctx, e, cim.OperationOptions{}, func(ctx context.Context, services *Services) (*Enum, error) {
		return services.CreateClassEnum(ctx, superclass, flags, nil)
	})
	if err != nil {
		return nil, err
	}
	var classes []*cim.Class
	err = cim.Each(ctx, e, func(i *cim.Instance) error {
		classes = append(classes, i.Class())
		return nil
	})
	return classes, err
}

// semisynchronous is how every enumeration is asked for: it returns at once and goes forward only.
const semisynchronous = wmi.FlagReturnImmediately | wmi.FlagForwardOnly

// Enumerate implements cim.Session. See [MS-WMI] 3.1.4.3.16.
func (s *Session) Enumerate(ctx context.Context, class string, o cim.EnumerateOptions) (cim.Enumerator, error) {
	e := &enumerator{operation: "CreateInstanceEnum", path: class, batch: o.Batch, project: newProjection(o.Properties)}
	flags := semisynchronous
	switch o.Polymorphism {
	case cim.Shallow:
		flags |= wmi.FlagShallow
	case cim.DeepBasePropsOnly:
		base, err := s.class(ctx, "", class)
		if err != nil {
			return nil, s.fail(e.operation, class, err)
		}
		e.project = baseProjection(base, o.Properties)
	}
	if o.KeysOnly {
		e.project = keysProjection()
	}
	values := partialGet(o.Context, o.Properties, o.KeysOnly)
	return s.enumerate(ctx, e, o.OperationOptions, func(ctx context.Context, services *Services) (*Enum, error) {
		return services.CreateInstanceEnum(ctx, class, flags, values)
	})
}

// Query implements cim.Session. See [MS-WMI] 3.1.4.3.18.
func (s *Session) Query(ctx context.Context, query string, o cim.QueryOptions) (cim.Enumerator, error) {
	e := &enumerator{operation: "ExecQuery", path: query, batch: o.Batch, project: selectProjection(query)}
	if o.KeysOnly {
		e.project = keysProjection()
	}
	language := o.Language
	if language == "" {
		language = "WQL"
	}
	flags := semisynchronous | amended(o.Amended)
	if o.Prototype {
		flags |= wmi.FlagPrototype
	}
	return s.query(ctx, e, language, query, flags, o.OperationOptions)
}

func (s *Session) query(ctx context.Context, e *enumerator, language, query string, flags uint32, o cim.OperationOptions) (cim.Enumerator, error) {
	return s.enumerate(ctx, e, o, func(ctx context.Context, services *Services) (*Enum, error) {
		return services.ExecQuery(ctx, language, query, flags, o.Context)
	})
}

// Associators implements cim.Session, by a query. See [MS-WMI] 2.2.1.1.
func (s *Session) Associators(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	return s.associated(ctx, "ASSOCIATORS OF", source, o, []condition{{"AssocClass", o.AssocClass}, {"ResultClass", o.ResultClass}, {"Role", o.Role}, {"ResultRole", o.ResultRole}})
}

// References implements cim.Session, by a query. See [MS-WMI] 2.2.1.1.
func (s *Session) References(ctx context.Context, source cim.ObjectPath, o cim.AssociatorOptions) (cim.Enumerator, error) {
	class := o.ResultClass
	if class == "" {
		class = o.AssocClass
	}
	return s.associated(ctx, "REFERENCES OF", source, o, []condition{{"ResultClass", class}, {"Role", o.Role}})
}

// condition is a term behind WHERE; one without a value is left out.
type condition struct{ name, value string }

func (s *Session) associated(ctx context.Context, op string, source cim.ObjectPath, o cim.AssociatorOptions, conditions []condition) (cim.Enumerator, error) {
	e := &enumerator{operation: op, path: source.Relative(), namespace: source.Namespace, batch: o.Batch, project: newProjection(o.Properties)}
	if o.KeysOnly {
		e.project = keysProjection()
	}
	var b strings.Builder
	b.WriteString(op + " {" + source.Relative() + "}")
	where := " WHERE"
	for _, c := range conditions {
		if c.value == "" {
			continue
		}
		if !isName(c.value) { // it would be read as more than a name
			return nil, s.fail(op, e.path, invalid("%s is %.60q, which is no name", c.name, c.value))
		}
		b.WriteString(where + " " + c.name + "=" + c.value)
		where = ""
	}
	return s.query(ctx, e, "WQL", b.String(), semisynchronous, o.OperationOptions)
}

// isName tells whether s is the name of a class or a property. See [MS-WMI] 2.2.2.
func isName(s string) bool {
	for n, c := range s {
		if !(c == '_' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || n > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}
