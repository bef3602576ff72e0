//go:build unix

package wsmanbench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// counts are the writes that reached the socket, by connection: the end of one
// under TLS is a write too.
type counts struct {
	mu sync.Mutex
	by map[string]int // by the client's address
}

func (c *counts) of(client string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[client]
}

func (c *counts) all() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.by {
		n += k
	}
	return n
}

type countedConn struct {
	net.Conn
	counts *counts
}

func (c countedConn) Write(p []byte) (int, error) {
	c.counts.mu.Lock()
	c.counts.by[c.RemoteAddr().String()]++
	c.counts.mu.Unlock()
	return c.Conn.Write(p)
}

type countedListener struct {
	net.Listener
	counts *counts
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.counts}, nil
}

const enumerate200 = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>
<a:To>http://localhost/wsman</a:To><w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/CT_Process</w:ResourceURI>
<a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
<a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate</a:Action><a:MessageID>uuid:AAAABBBB-0000-1111-2222-CCCCDDDDEEEE</a:MessageID></s:Header>
<s:Body><n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>150</w:MaxElements></n:Enumerate></s:Body></s:Envelope>`

// Every response leaves in one write, header and body together: two small ones
// would meet delayed acknowledgements and cost 40 ms.
func TestOneWritePerResponse(t *testing.T) {
	m := cimom.New(cimom.Options{})
	class := cimtest.ProcessClass(`root\cimv2`)
	p := static.New(class)
	check(t, errors.Join(p.Add(cimtest.Processes(class, 150)...), m.Register(p)))
	writes := &counts{by: map[string]int{}}
	run, stop, err := runService(t.TempDir(), service.Options{Opener: m,
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			var lc net.ListenConfig
			l, err := lc.Listen(ctx, network, address)
			return countedListener{l, writes}, err
		}})
	check(t, err)
	t.Cleanup(stop)
	t.Run("sealed", func(t *testing.T) {
		c, err := newClient(run.http, true)
		check(t, err)
		defer c.Close()
		_, err = c.Identify(t.Context(), wsmanclient.IdentifyOptions{})
		check(t, err)
		before := writes.all()
		for range 3 {
			_, err = c.Identify(t.Context(), wsmanclient.IdentifyOptions{})
			check(t, err)
		}
		if n := writes.all() - before; n != 3 {
			t.Errorf("3 sealed answers took %d writes", n)
		}
	})
	for _, request := range []struct {
		name, body, headers string
		atLeast             int
	}{
		{"Identify", identify, "", 500},
		{"Identify unauthenticated", identify, "WSMANIDENTIFY: unauthenticated\r\n", 400},
		{"a fault", strings.Replace(enumerate200, "CT_Process", "No_Such", 1), "", 500},
		{"150 instances", enumerate200, "", 100_000},
	} {
		t.Run(request.name+", plain", func(t *testing.T) {
			w := dial(t, run.http, request.body, request.headers)
			defer w.Close()
			oneWrite(t, writes, w, request.atLeast)
		})
		t.Run(request.name+", TLS", func(t *testing.T) {
			w := dial(t, run.https, request.body, request.headers)
			secure := tls.Client(w.Conn, &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- a test
			w.Conn, w.br = secure, bufio.NewReader(secure)
			defer w.Close()
			oneWrite(t, writes, w, request.atLeast)
		})
	}
}

// oneWrite counts the writes of the answers after the first one, with which the
// handshake is over.
func oneWrite(t *testing.T, writes *counts, w *wire, atLeast int) {
	t.Helper()
	size, err := w.answer()
	check(t, err)
	if size < atLeast {
		t.Fatalf("an answer of %d bytes, want at least %d", size, atLeast)
	}
	client := w.LocalAddr().String()
	before := writes.of(client)
	for range 3 {
		_, err := w.answer()
		check(t, err)
	}
	if n := writes.of(client) - before; n != 3 {
		t.Errorf("3 answers of %d bytes took %d writes", size, n)
	}
}
