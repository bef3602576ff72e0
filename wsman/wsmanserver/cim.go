package wsmanserver

import (
	"context"
	"errors"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/quota"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wscim"
)

// cimResource is what the server keeps for its CIM resources.
type cimResource struct {
	wmi, dmtf wscim.Encoders
}

// encoders are those of the URI family that the request used.
func (c *call) encoders() *wscim.Encoders {
	if c.resource.cim.DMTF {
		return &c.server.cim.dmtf
	}
	return &c.server.cim.wmi
}

// cim serves an operation on a CIM resource.
func (c *call) cim(ctx context.Context, op operation) (wsman.Body, error) {
	switch op {
	case opPull:
		return c.pull(ctx)
	case opRelease:
		return c.releaseEnumeration()
	case opUnsubscribe:
		return c.cimUnsubscribe()
	case opRenew:
		return nil, wsman.NewFault(wsman.CodeUnableToRenew, "")
	case opCommand, opReceive, opSend, opSignal, opDisconnect:
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
	}
	if err := c.cimNamespace(); err != nil {
		return nil, err
	}
	if op == opEnumerate {
		return c.cimEnumerate(ctx)
	}
	if op == opSubscribe {
		return c.cimSubscribe(ctx)
	}
	release, err := c.server.ledger.Operation(userKey(c.caller.Token), c.resource.plugin)
	if err != nil {
		return nil, c.operationQuota(err)
	}
	c.release = append(c.release, release)
	ctx, cancel := c.bounded(ctx)
	c.release = append(c.release, func() { cancel() })
	session, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	c.release = append(c.release, func() { session.Close() })
	if c.resource.cim.Class == "" {
		return nil, wsman.NewFault(wsman.CodeInvalidURI, "an operation on an instance needs the URI of a class")
	}
	class, err := session.GetClass(ctx, c.resource.cim.Class, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	switch op {
	case opGet:
		return c.cimGet(ctx, session, class)
	case opPut:
		return c.cimPut(ctx, session, class)
	case opCreate:
		return c.cimCreate(ctx, session, class)
	case opDelete:
		return c.cimDelete(ctx, session, class)
	}
	return c.cimInvoke(ctx, session, class)
}

// operationQuota gives the quota of operations its documented subcode: an
// internal error, where a shell's command and the quotas of a plug-in get
// QuotaLimit. See [MS-WSMV] 3.1.4.1.19.
func (c *call) operationQuota(err error) error {
	var over *quota.ExceededError
	if errors.As(err, &over) && over.Plugin != "" {
		return err
	}
	return c.fault(err).WithSubcode("w:InternalError", wsman.Receiver)
}

// cimNamespace settles the namespace: that of the URI, or of the selector
// __cimnamespace, which must not contradict a WMI URI. See [MS-WSMV]
// 3.1.4.1.1, note 46.
func (c *call) cimNamespace() error {
	given, ok := c.msg.Selectors.Get(wsman.SelectorNamespace)
	if !ok {
		return nil
	}
	given = namespaceOf(given)
	if !c.resource.cim.DMTF && !strings.EqualFold(given, c.resource.cim.Namespace) {
		return wsman.NewFault(wsman.CodeDifferentCIMSelector, "").WithSubcode("w:InternalError", wsman.Receiver)
	}
	c.resource.cim.Namespace = given
	return nil
}

func (c *call) openSession(ctx context.Context) (cim.Session, error) {
	o := cim.OpenOptions{Context: wmiContext(c.msg.Options)}
	if c.msg.Locale != "" {
		o.Locales = []string{c.msg.Locale}
	}
	return c.server.o.Opener.Open(ctx, c.caller, c.resource.cim.Namespace, o)
}

// wmiContext makes the WMI context of the options "wmi:NAME"; several of
// "wmiarray:NAME" make one array. See [MS-WSMV] 3.1.4.1.9.
func wmiContext(options wsman.OptionSet) cim.NamedArray {
	var out cim.NamedArray
	for _, o := range options {
		if name, ok := cutFold(o.Name, "wmi:"); ok {
			out = append(out, cim.NamedValue{Name: name, Value: cim.Text(o.Value)})
			continue
		}
		name, ok := cutFold(o.Name, "wmiarray:")
		if !ok {
			continue
		}
		found := false
		for i := range out {
			if strings.EqualFold(out[i].Name, name) && out[i].Value.Type().IsArray() {
				out[i].Value = cim.Array(cim.Untyped, append(out[i].Value.Elems(), cim.Text(o.Value)))
				found = true
			}
		}
		if !found {
			out = append(out, cim.NamedValue{Name: name, Value: cim.Array(cim.Untyped, []cim.Value{cim.Text(o.Value)})})
		}
	}
	return out
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return "", false
}

// path is the instance that the selectors name: every key of the class once,
// and nothing else. See [MS-WSMV] 3.1.4.1.2 and 3.1.4.2.
func (c *call) path(class *cim.Class) (cim.ObjectPath, error) {
	p := cim.ObjectPath{Namespace: c.resource.cim.Namespace, Class: class.Name}
	selectors := c.msg.Selectors.Without(wsman.SelectorNamespace)
	if class.IsSingleton() {
		if len(selectors) > 0 {
			return p, missingKeys("the class is a singleton: its URI takes no selector")
		}
		p.Singleton = true
		return p, nil
	}
	for n, s := range selectors {
		if _, dup := selectors[:n].Get(s.Name); dup {
			return p, wsman.NewFault(wsman.CodeDuplicateSelectors, "")
		}
		prop := class.Property(s.Name)
		if prop == nil || !prop.Key {
			return p, wsman.NewFault(wsman.CodeUnexpectedSelectors, clip(s.Name)+" is not a key of "+class.Name)
		}
		v := cim.Text(s.Value)
		if s.EPR != nil {
			v = cim.Ref(eprPath(*s.EPR).String())
		}
		v, err := v.As(prop.Type)
		if err != nil {
			return p, wsman.NewFault(wsman.CodeSelectorTypeMismatch, clip(s.Name)+" must be a "+prop.Type.String())
		}
		p.Keys = append(p.Keys, cim.Key{Name: prop.Name, Value: v})
	}
	if len(p.Keys) < len(class.Keys()) || len(p.Keys) == 0 {
		return p, missingKeys("the selectors must name every key of the class")
	}
	return p, nil
}

// missingKeys is the documented answer to an instance URI without its keys.
func missingKeys(text string) error {
	return wsman.NewFault(wsman.CodeWMISingleton, text).WithProvider(providerWMI, providerWMIPath)
}

// eprPath is the object that an endpoint reference names.
func eprPath(e wsman.EPR) cim.ObjectPath {
	res, ok := wscim.ParseURI(e.ResourceURI)
	if !ok {
		return cim.ObjectPath{Class: e.ResourceURI}
	}
	list := make([]wscim.Selector, 0, len(e.Selectors))
	for _, s := range e.Selectors {
		value := s.Value
		if s.EPR != nil {
			value = eprPath(*s.EPR).String()
		}
		list = append(list, wscim.Selector{Name: s.Name, Value: value})
	}
	return wscim.PathOf(res, list)
}

// raw is a body that is XML already.
func raw(xml []byte) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		w.Raw(xml)
		return nil
	})
}
