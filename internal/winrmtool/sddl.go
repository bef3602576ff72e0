package winrmtool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// guarded is the resource whose descriptor configSDDL edits: RootSDDL, or the
// one of a resource URI.
type guarded struct {
	uri   string // "" is RootSDDL
	exact string // ExactMatch of the entry, as it was read
}

func (g guarded) String() string {
	if g.uri == "" {
		return "RootSDDL"
	}
	return g.uri
}

func (g guarded) target() wsman.EPR {
	if g.uri == "" {
		return wsman.EPR{Address: wsman.Anonymous, ResourceURI: settings.URIConfig + "/service"}
	}
	return wsman.EPR{Address: wsman.Anonymous, ResourceURI: settings.URISecurity, Selectors: wsman.SelectorSet{{Name: "Uri", Value: g.uri}}}
}

// sddlArguments reads the positional arguments of configSDDL: a URI, and a
// descriptor or a word without meaning that the documents have there.
func sddlArguments(c *Command) (uri, sddl string, write bool) {
	sddl, write = c.SDDL, c.hasSDDL
	for i, arg := range c.Args {
		switch {
		case isSDDL(arg):
			sddl, write = arg, true
		case i == 0:
			uri = strings.TrimRight(expand(arg), "/")
		}
	}
	return uri, sddl, write
}

// isSDDL tells text that means to be a security descriptor.
func isSDDL(s string) bool {
	return len(s) > 1 && s[1] == ':' && strings.ContainsRune("OGDSogds", rune(s[0]))
}

// configSDDL reads the descriptor of a resource, has it edited or replaced, and
// writes it back. See spec section 1.7.
func (t *Tool) configSDDL(ctx context.Context, c *Command, client *wsmanclient.Client) error {
	uri, sddl, write := sddlArguments(c)
	g := guarded{uri: uri}
	now, err := g.read(ctx, client)
	if err != nil {
		return err
	}
	if !write {
		sd, err := security.ParseSDDL(now)
		if err != nil {
			return fault(codeDescriptor, "the descriptor of %s cannot be read: %v", g, err)
		}
		e := &sddlEditor{tool: t, sd: sd, name: g.String()}
		if !c.Conn.HasRemote {
			e.names = t.Names // another host has other accounts
		}
		if write, err = e.run(ctx); err != nil || !write {
			return err
		}
		if sddl, err = sd.SDDL(security.Domains{}); err != nil {
			return fault(codeDescriptor, "%v", err)
		}
	}
	if _, err := security.ParseSDDL(sddl); err != nil {
		return fault(codeDescriptor, "the descriptor %q cannot be read: %v", clip(sddl), err)
	}
	if err := g.write(ctx, client, sddl); err != nil {
		return err
	}
	return t.print(fmt.Sprintf("The security of %s is now:\n%s\n", g, sddl))
}

// read is the descriptor of the resource; one that has none of its own begins
// with RootSDDL.
func (g *guarded) read(ctx context.Context, client *wsmanclient.Client) (string, error) {
	answer, err := client.Get(ctx, g.target(), nil)
	if err != nil {
		if g.uri != "" && errors.Is(err, wsman.CodeResourceNotFound) {
			return (&guarded{}).read(ctx, client)
		}
		return "", err
	}
	n, err := parseXML(answer)
	if err != nil {
		return "", err
	}
	if g.uri != "" {
		sddl, _ := n.attr("", "Sddl")
		g.exact, _ = n.attr("", "ExactMatch")
		return sddl, nil
	}
	for _, c := range n.Children {
		if c.Local == "RootSDDL" {
			return c.Text, nil
		}
	}
	return "", fault(wsman.CodeInvalidXMLMissingValues, "the service's configuration has no RootSDDL")
}

func (g *guarded) write(ctx context.Context, client *wsmanclient.Client, sddl string) error {
	if g.uri != "" {
		n := &node{Local: "Security", Attrs: []attr{{"", "xmlns", settings.NamespacePlugin}, {"", "Uri", g.uri}, {"", "Sddl", sddl}}}
		if g.exact != "" {
			n.Attrs = append(n.Attrs, attr{"", "ExactMatch", g.exact})
		}
		_, err := client.Put(ctx, g.target(), n.xml(), nil)
		return err
	}
	answer, err := client.Get(ctx, g.target(), nil)
	if err != nil {
		return err
	}
	n, err := parseXML(answer)
	if err != nil {
		return err
	}
	if err := overlay(n, g.target(), []property{{Name: "RootSDDL", Value: sddl}}); err != nil {
		return err
	}
	_, err = client.Put(ctx, g.target(), n.xml(), nil)
	return err
}
