package wsmanserver

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// update applies the changes that make finds, within one transaction.
func (c *call) update(make func(snap *settings.Snapshot) ([]settings.Change, error)) error {
	err := c.server.o.Configuration.Update(func(tx *registry.Tx) error {
		changes, err := make(c.server.snapshot())
		if err != nil {
			return err
		}
		return settings.Apply(tx, changes)
	})
	c.effect = err == nil
	return err
}

// listenerResource serves winrm/config/listener. See [MS-WSMV] 3.1.4.1.29.5.
func (c *call) listenerResource(ctx context.Context, op operation) (wsman.Body, error) {
	switch op {
	case opGet:
		snap := c.server.snapshot()
		l, err := settings.FindListener(snap.Reader, snap.WinRM, c.selectors())
		if err != nil {
			return nil, err
		}
		return c.listenerBody(snap, l), nil
	case opEnumerate:
		return c.listenerEnumerate(ctx)
	case opPull:
		return c.pull(ctx)
	case opRelease:
		return c.releaseEnumeration()
	case opCreate, opPut:
		return c.listenerWrite(op)
	case opDelete:
		return nil, c.update(func(snap *settings.Snapshot) ([]settings.Change, error) {
			return settings.DeleteListener(snap.Reader, snap.WinRM, c.selectors())
		})
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) listenerWrite(op operation) (wsman.Body, error) {
	body, err := c.readFields("Listener")
	if err != nil {
		return nil, err
	}
	write := settings.CreateListener
	if op == opPut {
		write = settings.PutListener
	}
	var written settings.Listener
	err = c.update(func(snap *settings.Snapshot) ([]settings.Change, error) {
		l, changes, err := write(snap.Reader, snap.WinRM, c.server.o.Configuration.Host(), c.selectors(), body)
		written = l
		return changes, err
	})
	if err != nil {
		return nil, err
	}
	if op == opCreate {
		return c.created(), nil
	}
	return c.listenerBody(c.server.snapshot(), written), nil
}

func (c *call) listenerBody(snap *settings.Snapshot, l settings.Listener) wsman.Body {
	return fieldsBody(settings.URIListener, "Listener", l.Fields(c.listeningOn(snap, l)))
}

func (c *call) listeningOn(snap *settings.Snapshot, l settings.Listener) []netip.Addr {
	v4, err := settings.ParseIPv4Filter(snap.WinRM.Service.IPv4Filter)
	if err != nil {
		v4 = settings.IPFilter{}
	}
	v6, err := settings.ParseIPv6Filter(snap.WinRM.Service.IPv6Filter)
	if err != nil {
		v6 = settings.IPFilter{}
	}
	return l.ListeningOn(c.server.o.Configuration.Host(), v4, v6)
}

func (c *call) listenerEnumerate(ctx context.Context) (wsman.Body, error) {
	m, err := c.listFilter()
	if err != nil {
		return nil, err
	}
	snap := c.server.snapshot()
	var items [][]byte
	for _, l := range snap.Listeners {
		item, err := itemXML(m.Mode, c.listenerBody(snap, l), wsman.EPR{
			Address: wsman.Anonymous, ResourceURI: settings.URIListener,
			Selectors: wsman.SelectorSet{{Name: "Address", Value: l.Address}, {Name: "Transport", Value: l.Transport}},
		})
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return c.startList(ctx, m, items)
}

// listFilter reads an Enumerate on a table, none of which can filter.
func (c *call) listFilter() (*wsman.Enumerate, error) {
	m, err := c.msg.ReadEnumerate()
	if err != nil {
		return nil, err
	}
	if m.Filter != nil {
		return nil, wsman.NewFault(wsman.CodeFilteringNotSupported, "")
	}
	if len(c.msg.Selectors) > 0 {
		return nil, wsman.NewFault(wsman.CodeUnexpectedSelectors, "an enumeration takes no selector")
	}
	return m, nil
}

// pluginResource serves winrm/config/plugin. See [MS-WSMV] 3.1.4.1.29.6.
func (c *call) pluginResource(ctx context.Context, op operation) (wsman.Body, error) {
	name, ok := c.msg.Selectors.Get("Name")
	switch {
	case op == opEnumerate, op == opPull, op == opRelease:
	case !ok:
		return nil, wsman.NewFault(wsman.CodeInsufficientSelectors, "the selector Name is missing")
	case len(c.msg.Selectors) > 1:
		return nil, wsman.NewFault(wsman.CodeUnexpectedSelectors, "a plug-in has the selector Name and no other")
	}
	switch op {
	case opGet:
		for _, p := range c.server.snapshot().Plugins {
			if strings.EqualFold(p.Name, name) {
				return pluginBody(p), nil
			}
		}
		return nil, wsman.NewFault(wsman.CodeResourceNotFound, "there is no plug-in "+clip(name))
	case opEnumerate:
		m, err := c.listFilter()
		if err != nil {
			return nil, err
		}
		if m.Mode != wsman.EnumerateObject {
			return nil, wsman.NewFault(wsman.CodeEnumerationModeUnsupported, "")
		}
		var items [][]byte
		for _, p := range c.server.snapshot().Plugins {
			item, err := itemXML(m.Mode, pluginBody(p), wsman.EPR{})
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return c.startList(ctx, m, items)
	case opPull:
		return c.pull(ctx)
	case opRelease:
		return c.releaseEnumeration()
	case opDelete:
		return nil, c.update(func(snap *settings.Snapshot) ([]settings.Change, error) {
			return settings.DeletePlugin(snap.Reader, name)
		})
	case opCreate, opPut:
		return c.pluginWrite(op, name)
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) pluginWrite(op operation, name string) (wsman.Body, error) {
	f, err := c.msg.Fragment()
	if err != nil {
		return nil, err
	}
	if f.IsZero() {
		return nil, wsman.NewFault(wsman.CodeSchemaValidationError, "the body must hold PlugInConfiguration")
	}
	xml, err := f.AppendStandalone(nil)
	if err != nil {
		return nil, err
	}
	p, err := settings.ParsePlugin(string(xml))
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(p.Name, name) {
		return nil, wsman.NewFault(wsman.CodeInvalidXMLValues, "the selector names "+clip(name)+", the configuration "+clip(p.Name))
	}
	err = c.update(func(snap *settings.Snapshot) ([]settings.Change, error) {
		if op == opCreate {
			return settings.CreatePlugin(snap.Reader, p)
		}
		return settings.PutPlugin(snap.Reader, p)
	})
	if err != nil {
		return nil, err
	}
	if op == opCreate {
		return c.created(), nil
	}
	return pluginBody(p), nil
}

func pluginBody(p settings.Plugin) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		xml, err := p.XML()
		if err != nil {
			return err
		}
		w.Raw([]byte(xml))
		return nil
	})
}

// securityResource serves winrm/config/service/security?Uri=…. See [MS-WSMV]
// 3.1.4.1.29.4.
func (c *call) securityResource(op operation) (wsman.Body, error) {
	uri, ok := c.msg.Selectors.Get("Uri")
	if !ok {
		return nil, wsman.NewFault(wsman.CodeInsufficientSelectors, "the selector Uri is missing")
	}
	snap := c.server.snapshot()
	switch op {
	case opGet:
		e, err := snap.Security.Find(uri)
		if err != nil {
			return nil, err
		}
		return securityBody(e.URI, e.SDDL, e.ExactMatch), nil
	case opPut:
		sddl, exact, err := c.readSecurity()
		if err != nil {
			return nil, err
		}
		err = c.update(func(snap *settings.Snapshot) ([]settings.Change, error) {
			return settings.PutSecurity(snap.Plugins, uri, sddl, exact)
		})
		if err != nil {
			return nil, err
		}
		return securityBody(uri, sddl, exact), nil
	}
	return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
}

func (c *call) readSecurity() (sddl string, exact bool, err error) {
	err = c.msg.Body(func(r *soap.Reader) error {
		if string(r.Local()) != "Security" {
			return wsman.NewFault(wsman.CodeSchemaValidationError, "the body holds "+clip(string(r.Local()))+", want Security")
		}
		if s, ok := r.Attr(soap.None, "Sddl"); ok {
			sddl = string(s)
		}
		if e, ok := r.Attr(soap.None, "ExactMatch"); ok {
			exact, _ = strconv.ParseBool(string(e))
		}
		return r.Skip()
	})
	if err == nil && sddl == "" {
		err = wsman.NewFault(wsman.CodeSchemaValidationError, "the body must hold Security with the attribute Sddl")
	}
	return sddl, exact, err
}

func securityBody(uri, sddl string, exact bool) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		w.StartPrefix("", "Security")
		w.Xmlns("", settings.NamespacePlugin)
		w.Attr(soap.None, "Uri", uri)
		w.Attr(soap.None, "Sddl", sddl)
		w.Attr(soap.None, "ExactMatch", strconv.FormatBool(exact))
		w.End()
		return nil
	})
}
