package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/spf13/cobra"
)

func wmiProviders(s Streams) *cobra.Command {
	var f wmiFlags
	c := &cobra.Command{Use: "providers [NAMESPACE]", Short: "List the providers of classes and whether they are connected", Args: operands(0, 1, "at most one namespace"),
		Long: "List the instances of __Win32Provider of a namespace and those below it, all of them without an\noperand. Connections is how often a decoupled provider is connected now, empty for providers\nof other hosting models. " +
			"Decoupled providers connect to providers.sock in the state folder." + remoteHelp,
		Example: "  casement wmi providers\n  casement wmi providers root/cimv2 --host web1"}
	f.flags(c)
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		top := "root"
		if len(args) == 1 {
			top = namespaceOf(args[0])
		}
		return f.single(c.Context(), s, f.host, func(ctx context.Context, conn *casement.Connection) error {
			there, err := connections(ctx, conn)
			if err != nil {
				return err
			}
			l := listing{format: *format, columns: []string{"Namespace", "Name", "HostingModel", "Connections"}}
			err = walkNamespaces(ctx, conn, top, true, func(session cim.Session, namespace string) error {
				return addProviders(ctx, session, namespace, there, &l)
			})
			return errors.Join(err, l.print(s.Out))
		})
	}
	return c
}

// providerName is a decoupled provider, folded.
type providerName struct{ namespace, name string }

// connections are the decoupled providers that are connected; nil where the
// host does not tell.
func connections(ctx context.Context, conn *casement.Connection) (map[providerName]cim.Value, error) {
	session, err := conn.Session(ctx, "root")
	if err != nil {
		return nil, err
	}
	defer session.Close() //nolint:errcheck // what matters was said before
	list, err := collect(ctx, session, "Casement_ConnectedProvider")
	if errors.Is(err, cim.ErrInvalidClass) {
		return nil, nil
	}
	there := map[providerName]cim.Value{}
	for _, i := range list {
		namespace, _ := i.Get("Namespace").Str()
		name, _ := i.Get("Name").Str()
		there[providerName{cim.Fold(namespaceOf(namespace)), cim.Fold(name)}] = i.Get("Connections")
	}
	return there, err
}

func collect(ctx context.Context, session cim.Session, class string) ([]*cim.Instance, error) {
	e, err := session.Enumerate(ctx, class, cim.EnumerateOptions{})
	if err != nil {
		return nil, err
	}
	return cim.Collect(ctx, e)
}

// addProviders adds the providers of one namespace to a listing.
func addProviders(ctx context.Context, session cim.Session, namespace string, there map[providerName]cim.Value, l *listing) error {
	if session == nil { // it cannot be read
		return nil
	}
	list, err := collect(ctx, session, "__Win32Provider")
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b *cim.Instance) int {
		return cmp.Compare(cim.Fold(a.Get("Name").String()), cim.Fold(b.Get("Name").String()))
	})
	for _, i := range list {
		name, _ := i.Get("Name").Str()
		model, _ := i.Get("HostingModel").Str()
		count := cim.Null(cim.Uint32)
		if decoupled := len(model) >= len("decoupled:") && cim.EqualFold(model[:len("decoupled:")], "decoupled:"); decoupled && there != nil {
			if count = there[providerName{cim.Fold(namespace), cim.Fold(name)}]; count.IsNull() {
				count = cim.U32(0)
			}
		}
		l.add(namespace, name, model, count)
	}
	return nil
}
