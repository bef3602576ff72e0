package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
)

// The checks of an open namespace come one after the other: a host is asked one
// thing at a time.

// The rights that the account has in the namespace, as the host itself counts them.
func init() {
	register(check{id: "wmi.rights", layer: LayerRights, title: "The account may read and run methods", transport: "dcom", needs: []string{"wmi.namespace"}, run: wmiRights})
}

// namespaceRights are those of spec/wmi.md 5.7 by the labels of WMI Control.
var namespaceRights = []struct {
	bit   uint32
	label string
}{
	{1, "Enable Account"}, {2, "Execute Methods"}, {4, "Full Write"}, {8, "Partial Write"}, {0x10, "Provider Write"}, {0x20, "Remote Enable"},
	{0x20000, "Read Security"}, {0x40000, "Edit Security"},
}

const (
	rightExecute      = 2
	rightEditSecurity = 0x40000
)

func wmiRights(ctx context.Context, x *examination) found {
	r, err := x.dcom.session.Invoke(ctx, cim.ObjectPath{Class: "__SystemSecurity", Singleton: true}, "GetCallerAccessRights", nil, cim.OperationOptions{})
	if err != nil {
		f := failure(err, "GetCallerAccessRights fails: "+err.Error())
		f.outcome = Warn
		return f
	}
	n, ok := r.Out.Get("rights").Int()
	if !ok {
		return found{outcome: Warn, detail: "GetCallerAccessRights gives no rights"}
	}
	x.dcom.rights = uint32(n) // #nosec G115 -- a mask of 32 bits
	var has, lacks []string
	for _, right := range namespaceRights {
		if x.dcom.rights&right.bit != 0 {
			has = append(has, right.label)
		} else {
			lacks = append(lacks, right.label)
		}
	}
	f := found{detail: strings.Join(has, ", "), seen: []string{fmt.Sprintf("GetCallerAccessRights: 0x%X", x.dcom.rights)}}
	if len(lacks) > 0 {
		f.seen = append(f.seen, "without "+strings.Join(lacks, ", "))
	}
	if x.dcom.rights&rightExecute == 0 {
		f.outcome, f.code, f.name = Warn, "0x80041003", "WBEM_E_ACCESS_DENIED"
		f.detail = "without Execute Methods each method fails; has " + f.detail
	}
	return f
}
