package winrmtool

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// show prints an answer in the format of the command.
func (t *Tool) show(c *Command, xml []byte) error {
	if len(xml) == 0 {
		return nil
	}
	if c.Format == "xml" {
		return t.print(string(xml) + "\n")
	}
	n, err := parseXML(xml)
	if err != nil {
		return err
	}
	return t.print(render(n, c.Format))
}

func (t *Tool) get(ctx context.Context, c *Command, client *wsmanclient.Client) error {
	answer, err := client.Get(ctx, c.Target, c.request())
	if err != nil {
		return err
	}
	return t.show(c, answer)
}

// set reads the instance, lays the input over it and writes it back. A whole
// document is written as it is.
func (t *Tool) set(ctx context.Context, c *Command, client *wsmanclient.Client, body []byte) error {
	if body == nil {
		var err error
		if body, err = t.overlaid(ctx, c, client); err != nil {
			return err
		}
	}
	answer, err := client.Put(ctx, c.Target, body, c.request())
	if err != nil {
		return err
	}
	t.warnTrusted(c)
	t.warnEnvelope(c)
	return t.show(c, answer)
}

func (t *Tool) overlaid(ctx context.Context, c *Command, client *wsmanclient.Client) ([]byte, error) {
	if c.HasFragment {
		return fragmentBody(c)
	}
	now, err := client.Get(ctx, c.Target, c.request())
	if err != nil {
		return nil, err
	}
	instance, err := parseXML(now)
	if err != nil {
		return nil, err
	}
	if err := overlay(instance, c.Target, c.Input); err != nil {
		return nil, err
	}
	return instance.xml(), nil
}

// warnTrusted says what it means that TrustedHosts was set. See spec section
// 5.5.
func (t *Tool) warnTrusted(c *Command) {
	if !wsman.SameResource(c.Target.ResourceURI, settings.URIConfig+"/client") {
		return
	}
	for _, p := range c.Input {
		if p.Name != "TrustedHosts" || strings.TrimSpace(p.Value) == "" {
			continue
		}
		if strings.TrimSpace(p.Value) == "*" {
			t.warn("every host is trusted now: none is authenticated over http and each may receive credentials; list the hosts that you mean")
			return
		}
		t.warn("the hosts in TrustedHosts are not authenticated over http and may receive credentials")
	}
}

// warnEnvelope says that a size is larger than what is supported. See spec section 3.1.
func (t *Tool) warnEnvelope(c *Command) {
	if !wsman.SameResource(c.Target.ResourceURI, settings.URIConfig) {
		return
	}
	for _, p := range c.Input {
		if n, err := strconv.ParseUint(p.Value, 10, 32); err == nil && p.Name == "MaxEnvelopeSizekb" && n > settings.MaxSupportedEnvelope {
			t.warn("a MaxEnvelopeSizekb above 1039440 is not supported: that limit is in force")
		}
	}
}

func (t *Tool) create(ctx context.Context, c *Command, client *wsmanclient.Client, body []byte) error {
	if body == nil {
		body = createBody(c.Target, c.Input)
	}
	created, err := client.Create(ctx, c.Target, body, c.request())
	if err != nil {
		return err
	}
	return t.print(render(createdNode(created), c.Format))
}

func (t *Tool) invoke(ctx context.Context, c *Command, client *wsmanclient.Client, body []byte) error {
	if body == nil {
		body = invokeBody(c.Target, c.Action, c.Input)
	}
	answer, err := client.Invoke(ctx, c.Target, c.Action, body, c.request())
	if err != nil {
		return err
	}
	return t.show(c, answer)
}

func (t *Tool) identify(ctx context.Context, c *Command, client *wsmanclient.Client) error {
	id, err := client.Identify(ctx, wsmanclient.IdentifyOptions{Unauthenticated: c.Conn.Scheme == wsmanclient.None})
	if err != nil {
		return err
	}
	return t.print(render(identifyNode(id), c.Format))
}

// enumerate prints the items as they come, with a blank line between them.
func (t *Tool) enumerate(ctx context.Context, c *Command, client *wsmanclient.Client) error {
	filter, err := parseFilter(c.Filter, c.Dialect, c.Associations, c.Target)
	if err != nil {
		return err
	}
	o := wsmanclient.EnumerateOptions{RequestOptions: *c.request(), Filter: filter, Mode: c.Mode}
	switch {
	case c.Shallow:
		o.Polymorphism = wsman.PolymorphismNone
	case c.BaseOnly:
		o.Polymorphism = wsman.ExcludeSubClass
	}
	items, err := client.Enumerate(ctx, c.Target, o)
	if err != nil {
		return err
	}
	defer items.Close() //nolint:errcheck // the answer is printed by then
	for first := true; ; first = false {
		item, err := items.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !first && c.Format == "text" {
			if err := t.print("\n"); err != nil {
				return err
			}
		}
		if err := t.item(c, item); err != nil {
			return err
		}
	}
}

func (t *Tool) item(c *Command, item wsmanclient.Item) error {
	if err := t.show(c, item.XML); err != nil || item.EPR == nil {
		return err
	}
	return t.print(render(eprNode("a", "EndpointReference", uriAddressing, *item.EPR), c.Format))
}

// relativePath takes the leading /CLASS/ off the path of a fragment, which
// services refuse. See spec section 4.4.
func relativePath(path string) string {
	path = strings.TrimSpace(path)
	absolute, found := strings.CutPrefix(path, "/")
	if !found {
		return path
	}
	if _, rest, found := strings.Cut(absolute, "/"); found && rest != "" {
		return rest
	}
	return absolute
}

// fragmentBody is what a Put of a part of an instance carries: the named
// property, or nothing for the rest.
func fragmentBody(c *Command) ([]byte, error) {
	if len(c.Input) == 0 {
		return nil, usage(`set with -fragment needs the property: @{NAME="VALUE"}`)
	}
	root := &node{Prefix: "w", Local: "XmlFragment", Attrs: []attr{{"xmlns", "w", uriWSMan}, {"xmlns", "p", c.Target.ResourceURI}}}
	root.fill(c.Input)
	for _, child := range root.Children {
		child.Prefix = "p"
	}
	return root.xml(), nil
}
