package wsmanserver

import (
	"context"

	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// config serves winrm/config and the tables below it. See [MS-WSMV]
// 3.1.4.1.29.
func (c *call) config(ctx context.Context, op operation) (wsman.Body, error) {
	uri := strings.TrimSuffix(c.resource.uri, "/")
	switch uri {
	case strings.ToLower(settings.URIListener):
		return c.listenerResource(ctx, op)
	case strings.ToLower(settings.URICertMapping):
		return c.certMappingResource(ctx, op)
	case strings.ToLower(settings.URIPlugin):
		return c.pluginResource(ctx, op)
	case strings.ToLower(settings.URISecurity):
		return c.securityResource(op)
	}
	if len(c.msg.Selectors) > 0 {
		return nil, wsman.NewFault(wsman.CodeUnexpectedSelectors, "this resource takes no selector")
	}
	switch op {
	case opGet:
		return c.configGet(uri)
	case opPut:
		return c.configPut(uri)
	case opCustom:
		return c.configInvoke(uri)
	case opEnumerate:
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "a singleton cannot be enumerated: use Get")
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) configGet(uri string) (wsman.Body, error) {
	name, err := settings.Element(uri)
	if err != nil {
		return nil, err
	}
	fields, err := c.server.snapshot().WinRM.Describe(uri)
	if err != nil {
		return nil, err
	}
	return fieldsBody(c.msg.ResourceURI, name, fields), nil
}

// configPut changes settings, all of them or none, and answers with the whole
// resource as it is then.
func (c *call) configPut(uri string) (wsman.Body, error) {
	name, err := settings.Element(uri)
	if err != nil {
		return nil, err
	}
	body, err := c.readFields(name)
	if err != nil {
		return nil, err
	}
	err = c.update(func(snap *settings.Snapshot) ([]settings.Change, error) { return snap.WinRM.Validate(uri, body) })
	if err != nil {
		return nil, err
	}
	return c.configGet(uri)
}

// configInvoke runs Restore, which brings every setting back to its default.
func (c *call) configInvoke(uri string) (wsman.Body, error) {
	_, name, _ := cutAction(c.msg.Action)
	if uri != strings.ToLower(settings.URIConfig) || !strings.EqualFold(name, "Restore") {
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
	}
	if err := c.msg.End(); err != nil {
		return nil, err
	}
	err := c.update(func(*settings.Snapshot) ([]settings.Change, error) { return settings.Restore(), nil })
	if err != nil {
		return nil, err
	}
	return raw([]byte(`<cfg:Restore_OUTPUT xmlns:cfg="` + settings.URIConfig + `"></cfg:Restore_OUTPUT>`)), nil
}

// fieldsBody writes a resource: its element in the namespace of its URI, and
// what policy rules marked with Source="GPO".
func fieldsBody(uri, name string, fields []settings.Field) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		w.StartPrefix("cfg", name)
		w.Xmlns("cfg", uri)
		w.Attr(soap.XML, "lang", "en-US")
		writeFields(w, fields)
		w.End()
		return nil
	})
}

func writeFields(w *soap.Writer, fields []settings.Field) {
	for _, f := range fields {
		w.StartPrefix("cfg", f.Name)
		if f.Source == registry.SourceGPO {
			w.Attr(soap.None, "Source", "GPO")
		}
		if f.Children != nil {
			writeFields(w, f.Children)
		} else {
			w.Text(f.Value)
		}
		w.End()
	}
}

// maxFields bounds the elements of one configuration body.
const maxFields = 1000

// readFields reads a configuration body; nested elements get names with
// slashes. Names of elements are compared case-sensitively by the settings.
func (c *call) readFields(name string) ([]settings.NameValue, error) {
	var list []settings.NameValue
	found := false
	err := c.msg.Body(func(r *soap.Reader) error {
		if found {
			return r.Skip()
		}
		found = true
		if string(r.Local()) != name || !strings.HasPrefix(strings.ToLower(r.URI(r.Space())), settings.URIConfig) {
			return wsman.NewFault(wsman.CodeSchemaValidationError, "the body holds "+clip(string(r.Local()))+", want "+name+" of "+settings.URIConfig)
		}
		var err error
		list, err = readFields(r, "", nil)
		return err
	})
	if err == nil && !found {
		err = wsman.NewFault(wsman.CodeSchemaValidationError, "the body must hold "+name)
	}
	return list, err
}

func readFields(r *soap.Reader, prefix string, list []settings.NameValue) ([]settings.NameValue, error) {
	for {
		more, err := r.Child()
		if err != nil || !more {
			return list, err
		}
		if len(list) >= maxFields || r.Depth() > 16 {
			return nil, wsman.NewFault(wsman.CodeSchemaValidationError, "the body has too many elements")
		}
		name := prefix + string(r.Local())
		nilled, _ := r.Attr(soap.XSI, "nil")
		v := settings.NameValue{Name: name, Nil: string(nilled) == "true" || string(nilled) == "1"}
		text, nested, err := leafOrNested(r, name, &list)
		if err != nil {
			return nil, err
		}
		if !nested {
			v.Value = text
			list = append(list, v)
		}
	}
}

// leafOrNested reads one element: its text, or the fields below it.
func leafOrNested(r *soap.Reader, name string, list *[]settings.NameValue) (text string, nested bool, err error) {
	depth := r.Depth()
	var pieces []byte
	for {
		k, err := r.Next()
		if err != nil {
			return "", nested, err
		}
		switch k {
		case soap.Text:
			pieces = append(pieces, r.Text()...)
		case soap.StartElement:
			nested = true
			child := name + "/" + string(r.Local())
			nilled, _ := r.Attr(soap.XSI, "nil")
			v := settings.NameValue{Name: child, Nil: string(nilled) == "true"}
			inner, deeper, err := leafOrNested(r, child, list)
			if err != nil {
				return "", nested, err
			}
			if len(*list) >= maxFields || depth > 16 {
				return "", nested, wsman.NewFault(wsman.CodeSchemaValidationError, "the body has too many elements")
			}
			if !deeper {
				v.Value = inner
				*list = append(*list, v)
			}
		case soap.EndElement:
			if r.Depth() < depth {
				return strings.TrimSpace(string(pieces)), nested, nil
			}
		}
	}
}

// selectors are the selectors of the request as the settings take them.
func (c *call) selectors() []settings.NameValue {
	list := make([]settings.NameValue, 0, len(c.msg.Selectors))
	for _, s := range c.msg.Selectors {
		list = append(list, settings.NameValue{Name: s.Name, Value: s.Value})
	}
	return list
}

// created is the answer to a Create in one of the tables.
func (c *call) created() wsman.Body {
	return &wsman.ResourceCreated{EPR: wsman.EPR{Address: wsman.Anonymous, ResourceURI: c.msg.ResourceURI, Selectors: c.msg.Selectors}}
}
