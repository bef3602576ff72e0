package wsmanserver

import (
	"context"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// cimEnumerate answers an Enumerate on a CIM resource: a class, a query, a
// selector filter or an association filter. See [MS-WSMV] 3.1.4.1.13 and
// 3.1.4.8.
func (c *call) cimEnumerate(ctx context.Context) (wsman.Body, error) {
	m, err := c.msg.ReadEnumerate()
	if err != nil {
		return nil, err
	}
	if err := c.checkEnumerate(m); err != nil {
		return nil, err
	}
	ctx, done := c.bounded(ctx)
	defer done()
	s, release, err := c.outliving(ctx, 0, func(life context.Context) (*cimSource, error) { return c.openSource(life, m) })
	if err != nil {
		return nil, err
	}
	return c.start(ctx, m, s, s.cancel, release)
}

// outliving opens a source that outlives this request, which can only cut its
// opening: an operation of the caller, which release gives back. It ends after
// expires, if that is not 0.
func (c *call) outliving(ctx context.Context, expires time.Duration, open func(context.Context) (*cimSource, error)) (s *cimSource, release func(), err error) {
	owner := userKey(c.caller.Token)
	release, err = c.server.ledger.Operation(owner, c.resource.plugin)
	if err != nil && c.server.enums.makeRoom(owner) {
		release, err = c.server.ledger.Operation(owner, c.resource.plugin)
	}
	if err != nil {
		return nil, nil, c.operationQuota(err)
	}
	life, cancel := context.WithCancel(c.server.base)
	if expires > 0 {
		life, cancel = context.WithTimeout(c.server.base, expires)
	}
	cut := context.AfterFunc(ctx, cancel)
	s, err = open(life)
	if !cut() && err == nil {
		s.close()
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		release()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, nil, err
	}
	s.ended, s.cancel = life.Done(), cancel
	return s, release, nil
}

func (c *call) openSource(ctx context.Context, m *wsman.Enumerate) (*cimSource, error) {
	session, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	enum, err := c.openEnumerator(ctx, session, m)
	if err != nil {
		session.Close()
		return nil, err
	}
	return &cimSource{session: session, enum: enum, shared: c.encoders(), mode: m.Mode}, nil
}

// checkEnumerate refuses what contradicts itself before anything is opened.
func (c *call) checkEnumerate(m *wsman.Enumerate) error {
	if len(c.msg.Selectors.Without(wsman.SelectorNamespace)) > 0 {
		return wsman.NewFault(wsman.CodeEnumerateWMIInvalidKey, "")
	}
	switch m.Mode {
	case wsman.EnumerateObject, wsman.EnumerateEPR, wsman.EnumerateObjectAndEPR:
	default:
		return wsman.NewFault(wsman.CodeEnumerationModeUnsupported, "")
	}
	if m.Filter == nil {
		if c.resource.cim.Class == "" {
			return wsman.NewFault(wsman.CodeInvalidURI, "an enumeration of "+clip(c.msg.ResourceURI)+" needs a filter")
		}
		return nil
	}
	switch m.Filter.Dialect {
	case wsman.DialectWQL, wsman.DialectAssociation:
		if c.resource.cim.Class != "" {
			return wsman.NewFault(wsman.CodeWMIEnumWQL, "")
		}
		if m.Polymorphism != wsman.PolymorphismDefault && m.Polymorphism != wsman.IncludeSubClass {
			return wsman.NewFault(wsman.CodePolymorphismModeUnsupported, "")
		}
	case wsman.DialectSelector:
		if c.resource.cim.Class == "" {
			return wsman.NewFault(wsman.CodeEnumerateCannotProcessFilter, "a selector filter needs the URI of a class")
		}
	default:
		return wsman.NewFault(wsman.CodeFilterDialectUnavailable, "the dialect "+clip(m.Filter.Dialect)+" is not known; WQL, selector and association filters are")
	}
	return nil
}

func (c *call) openEnumerator(ctx context.Context, session cim.Session, m *wsman.Enumerate) (cim.Enumerator, error) {
	keysOnly := m.Mode == wsman.EnumerateEPR
	op := cim.OperationOptions{Timeout: 0}
	if m.Filter == nil {
		o := cim.EnumerateOptions{OperationOptions: op, KeysOnly: keysOnly}
		switch m.Polymorphism {
		case wsman.PolymorphismNone:
			o.Polymorphism = cim.Shallow
		case wsman.ExcludeSubClass:
			o.Polymorphism = cim.DeepBasePropsOnly
		}
		return session.Enumerate(ctx, c.resource.cim.Class, o)
	}
	switch m.Filter.Dialect {
	case wsman.DialectWQL:
		return session.Query(ctx, m.Filter.Text, cim.QueryOptions{OperationOptions: op, KeysOnly: keysOnly})
	case wsman.DialectSelector:
		query, err := c.selectorQuery(ctx, session, m.Filter.Selectors)
		if err != nil {
			return nil, err
		}
		return session.Query(ctx, query, cim.QueryOptions{OperationOptions: op, KeysOnly: keysOnly})
	}
	return c.openAssociations(ctx, session, m.Filter.Association, keysOnly)
}

// selectorQuery makes the query of a selector filter: every selector a
// property that equals its value. See [MS-WSMV] 3.1.4.1.13.
func (c *call) selectorQuery(ctx context.Context, session cim.Session, selectors wsman.SelectorSet) (string, error) {
	class, err := session.GetClass(ctx, c.resource.cim.Class, cim.GetOptions{})
	if err != nil {
		return "", err
	}
	bad := func(why string) error {
		return wsman.NewFault(wsman.CodeEnumerateCannotProcessFilter, why)
	}
	var b strings.Builder
	b.WriteString("SELECT * FROM " + class.Name)
	for n, s := range selectors {
		if _, dup := selectors[:n].Get(s.Name); dup {
			return "", bad("the selector " + clip(s.Name) + " stands twice")
		}
		p := class.Property(s.Name)
		if p == nil {
			return "", bad(clip(s.Name) + " is no property of " + class.Name)
		}
		if p.Type.IsArray() || p.Type == cim.Datetime || p.Type == cim.Reference || p.Type == cim.Object || s.EPR != nil {
			return "", bad("a selector filter cannot compare the property " + p.Name)
		}
		if strings.ContainsAny(s.Value, `"'`) {
			return "", bad("the value of the selector " + p.Name + " holds a quote")
		}
		v, err := cim.Text(s.Value).As(p.Type)
		if err != nil {
			return "", bad("the value of the selector " + p.Name + " is not a " + p.Type.String())
		}
		b.WriteString([2]string{" WHERE ", " AND "}[min(n, 1)])
		b.WriteString(p.Name + " = ")
		if text, ok := v.Str(); ok {
			b.WriteString(`"` + strings.ReplaceAll(text, `\`, `\\`) + `"`)
		} else {
			b.WriteString(string(v.AppendText(nil)))
		}
	}
	return b.String(), nil
}

// openAssociations runs an association filter. See DSP0227 17.1.
func (c *call) openAssociations(ctx context.Context, session cim.Session, f *wsman.AssociationFilter, keysOnly bool) (cim.Enumerator, error) {
	if f == nil {
		return nil, wsman.NewFault(wsman.CodeEnumerateCannotProcessFilter, "the association filter is empty")
	}
	source := eprPath(f.Object)
	if source.Class == "" || strings.Contains(source.Class, "/") {
		return nil, wsman.NewFault(wsman.CodeEnumerateCannotProcessFilter, "the object of the association filter is not a CIM instance")
	}
	if class, err := session.GetClass(ctx, source.Class, cim.GetOptions{}); err != nil {
		return nil, err
	} else if source, err = typedPath(source, class); err != nil {
		return nil, err
	}
	o := cim.AssociatorOptions{
		AssocClass: f.AssociationClass, ResultClass: f.ResultClass, Role: f.Role, ResultRole: f.ResultRole,
		Properties: f.Properties, KeysOnly: keysOnly,
	}
	if f.Associations {
		return session.References(ctx, source, o)
	}
	return session.Associators(ctx, source, o)
}

func typedPath(p cim.ObjectPath, class *cim.Class) (cim.ObjectPath, error) {
	for n, k := range p.Keys {
		prop := class.Property(k.Name)
		if prop == nil {
			return p, wsman.NewFault(wsman.CodeUnexpectedSelectors, clip(k.Name)+" is not a key of "+class.Name)
		}
		v, err := k.Value.As(prop.Type)
		if err != nil {
			return p, wsman.NewFault(wsman.CodeSelectorTypeMismatch, "")
		}
		p.Keys[n] = cim.Key{Name: prop.Name, Value: v}
	}
	p.Class = class.Name
	return p, nil
}
