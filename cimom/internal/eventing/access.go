package eventing

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// The rights in security descriptors of events and filters. See spec/wmi.md
// 5.6.
const (
	rightSubscribe uint32 = 0x40
	rightPublish   uint32 = 0x80
)

// reading is who may receive an event: the SECURITY_DESCRIPTOR of the event.
type reading struct{ descriptor *security.SecurityDescriptor }

// read reads the descriptor; ok is false for one that cannot be.
func (r *reading) read(values []cim.Value, at int) (ok bool) {
	if at < 0 || values[at].IsNull() {
		return true
	}
	bytes, _ := values[at].Bytes()
	sd, err := security.DecodeSecurityDescriptor(bytes)
	r.descriptor = sd
	return err == nil
}

func (r *reading) may(token *security.Token) bool {
	if r.descriptor == nil {
		return true
	}
	_, err := security.AccessCheck(r.descriptor, token, rightSubscribe, security.GenericMapping{})
	return err == nil
}

// administratorsOnly is the SECURITY_DESCRIPTOR of events that only
// administrators receive: those that hold what another subscriber lost.
var administratorsOnly = func() cim.Value {
	sd, err := security.ParseSDDL("O:BAG:BAD:(A;;0x40;;;BA)(A;;0x40;;;SY)")
	if err != nil {
		panic(err) // a constant
	}
	b, err := sd.Bytes()
	if err != nil {
		panic(err) // the same
	}
	return cim.Bytes(b)
}()

// callerKey tells whether two callers are the same to a provider. What differs
// from call to call, the address, has no part in it.
func callerKey(c cim.Caller) string {
	var b strings.Builder
	if t := c.Token; t != nil {
		b.WriteString(t.User.String())
		for _, g := range t.Groups {
			b.WriteByte(' ')
			if g.DenyOnly {
				b.WriteByte('-')
			}
			b.WriteString(g.SID.String())
		}
		for _, p := range t.Privileges {
			b.WriteString(" " + string(p))
		}
		b.WriteString(" " + string(rune('0'+t.LogonType)))
	}
	b.WriteString("|" + string(rune('0'+c.Protection)) + string(rune('0'+c.Impersonation)))
	if c.Remote {
		b.WriteString("r")
	}
	for _, p := range c.Privileges {
		b.WriteString(" " + p)
	}
	return b.String()
}
