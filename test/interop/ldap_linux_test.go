package interop

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/internal/adtest"
)

// ber is an element of BER with a short or a long length.
func ber(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	out := []byte{tag}
	if n := len(content); n < 0x80 {
		out = append(out, byte(n))
	} else {
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}

// berNext takes one element off the front of b.
func berNext(t *testing.T, b []byte) (tag byte, content, rest []byte) {
	t.Helper()
	if len(b) < 2 {
		t.Fatalf("no element: %x", b)
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		n = 0
		for at < 2+size && at < len(b) {
			n, at = n<<8|int(b[at]), at+1
		}
	}
	if n < 0 || n > len(b)-at {
		t.Fatalf("an element of %d octets in %x", n, b)
	}
	return b[0], b[at : at+n], b[at+n:]
}

// berRead reads one whole element from a connection.
func berRead(t *testing.T, r io.Reader) []byte {
	t.Helper()
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		t.Fatal(err)
	}
	n, size := int(head[1]), 0
	if n >= 0x80 {
		size = n & 0x7f
		if size > 4 {
			t.Fatalf("a length of %d octets", size)
		}
		if _, err := io.ReadFull(r, head[2:2+size]); err != nil {
			t.Fatal(err)
		}
		n = 0
		for _, b := range head[2 : 2+size] {
			n = n<<8 | int(b)
		}
	}
	content := make([]byte, min(n, 1<<20))
	if _, err := io.ReadFull(r, content); err != nil {
		t.Fatal(err)
	}
	return append(head[:2+size:2+size], content...)
}

// Our Kerberos signs in to Samba's LDAP (RFC 4513, SASL GSS-SPNEGO), and what goes over the connection then is sealed: the server says whose groups
// it counts ([MS-ADTS] 3.1.1.3.2.22).
func TestLDAPKerberos(t *testing.T) {
	d := adtest.Shared(t)
	tickets, err := krb5.NewClient(krb5.ClientOptions{Credentials: auth.Credentials{Username: adtest.Alice + "@" + adtest.Realm, Password: adtest.Password}, Config: d.Krb5Conf})
	if err != nil {
		t.Fatal(err)
	}
	defer tickets.Close()
	conn, err := net.Dial("tcp", net.JoinHostPort(d.Address, "389"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))

	i := spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator {
		return krb5.NewInitiator(krb5.InitiatorOptions{Client: tickets, SPN: "ldap/" + d.Controller})
	}})
	var in []byte
	for done, id := false, byte(1); !done; id++ {
		var out []byte
		if out, done, err = i.Step(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if done && len(out) == 0 {
			break
		}
		bind := ber(0x60, ber(2, []byte{3}), ber(4), ber(0xa3, ber(4, []byte("GSS-SPNEGO")), ber(4, out)))
		if _, err := conn.Write(ber(0x30, ber(2, []byte{id}), bind)); err != nil {
			t.Fatal(err)
		}
		_, message, _ := berNext(t, berRead(t, conn))
		_, _, rest := berNext(t, message)
		_, result, _ := berNext(t, rest)
		_, code, rest := berNext(t, result)
		_, _, rest = berNext(t, rest)
		_, said, rest := berNext(t, rest)
		if code[0] != 0 && code[0] != 14 { // success, saslBindInProgress
			t.Fatalf("the bind ends with %d: %s", code[0], said)
		}
		in = nil
		if len(rest) > 0 {
			_, in, _ = berNext(t, rest)
		}
	}

	zero := []byte{0}
	tokenGroups := ber(0x30, ber(2, []byte{9}), ber(0x63, ber(4), ber(10, zero), ber(10, zero), ber(2, zero), ber(2, zero), ber(1, zero),
		ber(0x87, []byte("objectClass")), ber(0x30, ber(4, []byte("tokenGroups")))))
	c := i.Context()
	signature, err := c.Seal([]auth.Buffer{{Data: tokenGroups}})
	if err != nil {
		t.Fatal(err)
	}
	message := binary.BigEndian.AppendUint32(nil, uint32(len(signature)+len(tokenGroups)))
	if _, err := conn.Write(append(append(message, signature...), tokenGroups...)); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(conn, size); err != nil {
		t.Fatal(err)
	}
	sealed := make([]byte, min(binary.BigEndian.Uint32(size), 1<<20))
	if _, err := io.ReadFull(conn, sealed); err != nil {
		t.Fatal(err)
	}
	n := c.SignatureSize()
	if len(sealed) <= n || bytes.Contains(sealed, []byte(adtest.Alice)) {
		t.Fatalf("an answer that is not sealed: %x", sealed)
	}
	plain := sealed[n:]
	if err := c.Unseal([]auth.Buffer{{Data: plain}}, sealed[:n]); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{adtest.Alice, adtest.Operators} {
		if sid := d.SIDOf(name).Bytes(); !bytes.Contains(plain, sid) {
			t.Errorf("the server does not name %s %x: %q", name, sid, plain)
		}
	}
}
