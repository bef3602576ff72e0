package doctor

import (
	"context"
	"fmt"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Filter, consumer and binding of each permanent subscription were made by the same
// account: others are silent without a word.
func init() {
	register(check{id: "wmi.subscriptions", layer: LayerNamespace, title: "Permanent subscriptions are whole", transport: "dcom", needs: []string{"wmi.namespace"}, after: []string{"wmi.rights", "uac.filter", "wmi.quota"}, run: wmiSubscriptions})
}

// mostBindings bounds the subscriptions that are looked at.
const mostBindings = 64

func wmiSubscriptions(ctx context.Context, x *examination) found {
	s, code, err := x.open(ctx, x.dcom.client, `root\subscription`)
	if err != nil {
		return found{outcome: Info, detail: fmt.Sprintf(`root\subscription does not open (%s): permanent subscriptions are not looked at`, codeText(code))}
	}
	defer s.Close() //nolint:errcheck // nothing is under way
	var bindings []*cim.Instance
	err = query(ctx, s, "SELECT * FROM __FilterToConsumerBinding", func(i *cim.Instance) {
		if len(bindings) < mostBindings {
			bindings = append(bindings, i)
		}
	})
	if err != nil {
		return found{outcome: Info, detail: "permanent subscriptions cannot be read: " + err.Error()}
	}
	f, silent := found{}, 0
	for _, b := range bindings {
		filter, _ := b.Get("Filter").Str()
		consumer, _ := b.Get("Consumer").Str()
		sids := [3]string{creator(b), partCreator(ctx, s, filter), partCreator(ctx, s, consumer)}
		if sids[0] != sids[1] || sids[0] != sids[2] {
			silent++
			f.seen = append(f.seen, fmt.Sprintf("%s to %s: the creator of the binding is %s, of the filter %s, of the consumer %s", filter, consumer, sids[0], sids[1], sids[2]))
		}
	}
	f.detail = fmt.Sprintf("%d, each by one creator", len(bindings))
	if len(bindings) == 0 {
		f.detail = "there are none"
	}
	if silent > 0 {
		f.outcome, f.detail = Warn, fmt.Sprintf("%d of %d are silent: filter, consumer and binding have different creators", silent, len(bindings))
	}
	return f
}

// partCreator is who made what a reference leads to.
func partCreator(ctx context.Context, s cim.Session, ref string) string {
	p, err := cim.ParsePath(ref)
	if err != nil {
		return "unknown (" + ref + ")"
	}
	p.Server = ""
	i, err := s.Get(ctx, p, cim.GetOptions{})
	if err != nil {
		return "unknown: " + err.Error()
	}
	return creator(i)
}

func creator(i *cim.Instance) string {
	b, _ := i.Get("CreatorSID").Bytes()
	sid, _, err := security.DecodeSID(b)
	if err != nil {
		return "nobody"
	}
	return sid.String()
}
