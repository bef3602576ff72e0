package decoupled

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
)

// raw is a provider written by hand: it registers and gives each request to
// answer, whose lines it sends; answer's false ends the connection.
func raw(t *testing.T, dial func(context.Context) (io.ReadWriteCloser, error), answer func(request string, w io.Writer) bool) {
	t.Helper()
	c, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
	fmt.Fprintln(c, `{"register":"Suite","namespace":"root\\cimtest","protocol":1}`)
	r := bufio.NewReader(c)
	welcome, err := r.ReadString('\n')
	if err != nil || !strings.Contains(welcome, `"registered":true`) {
		t.Fatalf("the provider is not taken: %s %v", welcome, err)
	}
	go func() {
		defer close(ended)
		defer c.Close()
		for {
			line, err := r.ReadString('\n')
			if err != nil || !answer(line, c) {
				return
			}
		}
	}()
}

func classOf(t *testing.T, name string) *cim.Class {
	t.Helper()
	for _, c := range cimtest.Classes() {
		if c.Name == name {
			return c
		}
	}
	t.Fatal("no class " + name)
	return nil
}

// list lists CT_Part at a provider.
func list(ctx context.Context, t *testing.T, p cimom.Provider) (n int, err error) {
	r := &cimom.Request{Namespace: cimtest.Namespace, Class: classOf(t, "CT_Part")}
	err = p.(cimom.InstanceLister).List(ctx, r, func(*cim.Instance) error {
		n++
		return nil
	})
	return n, err
}

// TestMisbehaviour: whatever a provider sends, the operation that asked fails
// with a clear error, and the next one finds a provider that is well.
func TestMisbehaviour(t *testing.T) {
	for name, send := range map[string]string{
		"no JSON":              "hello\n",
		"two values":           `{"done":true} {"done":true}` + "\n",
		"neither end nor more": "{}\n",
		"another class":        `{"instance":{"__CLASS":"CT_Item","ID":"x"}}` + "\n",
		"unknown property":     `{"instance":{"Color":"red"}}` + "\n",
		"wrong type":           `{"instance":{"ID":{"a":1}}}` + "\n",
		"a number for text":    `{"instance":{"ID":7}}` + "\n",
		"deep":                 `{"instance":{"ID":` + strings.Repeat("[", 100000) + "\n",
		"dies":                 "",
		"dies in a line":       `{"instance":{"ID":"x`,
		"a line without end":   strings.Repeat("x", MaxLine+100),
	} {
		t.Run(name, func(t *testing.T) {
			g, dial := listen(t)
			raw(t, dial, func(_ string, w io.Writer) bool {
				_, _ = io.WriteString(w, send)
				return false
			})
			p := g.Provider(cimtest.Namespace, "Suite")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if n, err := list(ctx, t, p); err == nil || n != 0 || ctx.Err() != nil {
				t.Errorf("%d instances, error %v", n, err)
			}
			raw(t, dial, func(_ string, w io.Writer) bool {
				_, _ = io.WriteString(w, `{"instance":{"ID":"x"}}`+"\n"+`{"done":true}`+"\n")
				return true
			})
			if n, err := list(ctx, t, p); n != 1 || err != nil {
				t.Errorf("afterwards: %d instances, error %v", n, err)
			}
		})
	}
}

// TestHanging: a provider that says nothing keeps an operation no longer than
// its context, and sees that it is not wanted any more.
func TestHanging(t *testing.T) {
	g, dial := listen(t)
	told := make(chan struct{})
	raw(t, dial, func(_ string, w io.Writer) bool {
		var b [1]byte
		_, _ = w.(net.Conn).Read(b[:])
		close(told)
		return false
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := list(ctx, t, g.Provider(cimtest.Namespace, "Suite")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline's", err)
	}
	<-told
}

// TestFlood: a provider that never stops is stopped by who reads.
func TestFlood(t *testing.T) {
	g, dial := listen(t)
	stopped := make(chan struct{})
	raw(t, dial, func(_ string, w io.Writer) bool {
		defer close(stopped)
		for {
			if _, err := io.WriteString(w, `{"instance":{"ID":"x"}}`+"\n"); err != nil {
				return false
			}
		}
	})
	enough := errors.New("enough")
	n := 0
	r := &cimom.Request{Namespace: cimtest.Namespace, Class: classOf(t, "CT_Part")}
	err := g.Provider(cimtest.Namespace, "Suite").(cimom.InstanceLister).List(t.Context(), r, func(*cim.Instance) error {
		if n++; n == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	<-stopped
}

// TestStatusOfProvider: the provider's status and text reach the caller; what
// is no error code becomes a failure of the provider.
func TestStatusOfProvider(t *testing.T) {
	for code, want := range map[string]cim.Status{
		"0x80041002": cim.ErrNotFound, "0x80041003": cim.ErrAccessDenied, "0": cim.ErrProviderFailure, "x": cim.ErrProviderFailure, "-1": cim.ErrProviderFailure,
	} {
		g, dial := listen(t)
		raw(t, dial, func(_ string, w io.Writer) bool {
			fmt.Fprintf(w, `{"error":{"code":%q,"text":"because"}}`+"\n", code)
			return true
		})
		_, err := list(t.Context(), t, g.Provider(cimtest.Namespace, "Suite"))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "because") {
			t.Errorf("code %s: error %v, want %v", code, err, want)
		}
	}
}

// TestNotConnected: a provider that is registered but not there cannot be
// loaded, and one that is refused learns why. [WBEM_E_PROVIDER_LOAD_FAILURE]
func TestNotConnected(t *testing.T) {
	g := NewRegistrar(RegistrarOptions{
		UID: func(net.Conn) (uint32, error) { return 1234, nil },
		Admit: func(_ context.Context, uid uint32, namespace, name string) error {
			if uid != 1234 || namespace != cimtest.Namespace || name != "Suite" {
				t.Errorf("asked about %d, %s, %s", uid, namespace, name)
			}
			return &cim.Error{Status: cim.ErrAccessDenied, Detail: "not this user"}
		},
	})
	defer g.Close()
	if _, err := list(t.Context(), t, g.Provider(cimtest.Namespace, "Suite")); !errors.Is(err, cim.ErrProviderLoadFailure) {
		t.Errorf("error %v", err)
	}
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	err = Serve(t.Context(), ServeOptions{
		Provider: suite(t), Name: "Suite", Namespace: cimtest.Namespace,
		Dial: func(context.Context) (io.ReadWriteCloser, error) { return net.Dial("unix", l.Addr().String()) },
	})
	if !errors.Is(err, cim.ErrAccessDenied) || !strings.Contains(err.Error(), "not this user") {
		t.Errorf("the refused provider sees %v", err)
	}
	g.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestBusy: when every connection of a provider is taken, operations wait, and
// no more than a bounded number of them.
func TestBusy(t *testing.T) {
	g, dial := listen(t)
	raw(t, dial, func(_ string, w io.Writer) bool { return true }) // takes the request and never answers
	for free := 0; free == 0; {                                    // it was welcomed just before it is
		g.mu.Lock()
		pool := g.pools[key(cimtest.Namespace, "Suite")]
		pool.mu.Lock()
		free = len(pool.idle)
		pool.mu.Unlock()
		g.mu.Unlock()
	}
	p := g.Provider(cimtest.Namespace, "Suite")
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 2*maxWaiting)
	for range 2 * maxWaiting {
		go func() {
			_, err := list(ctx, t, p)
			results <- err
		}()
	}
	for range 2*maxWaiting - maxWaiting - 1 {
		if err := <-results; !errors.Is(err, cim.ErrServerTooBusy) {
			t.Errorf("error %v, want that the provider is busy", err)
		}
	}
	cancel()
	for range maxWaiting + 1 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
	}
}

// FuzzReply: whatever a line is, reading it ends in an instance of the class or
// an error.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		`{"instance":{"__CLASS":"CT_Types","ID":"a","Sint8":-3,"Uint64":18446744073709551615,"Real64":1e3,"BooleanArray":[true,false],"Inner":{"__CLASS":"CT_Embedded","Number":1},"Inners":[{"Number":2}],"Datetime":"19980525133015.000000+000","Char16":65}}`,
		`{"done":true,"return":4294967295,"out":{"x":[null]}}`, `{"error":{"code":"0x80041002"}}`, `{"instance":{"Sint8":1e400}}`, `{"instance":{"Sint8":[[[[]]]]}}`,
	} {
		f.Add([]byte(s))
	}
	classes := map[string]*cim.Class{}
	for _, c := range cimtest.Classes() {
		classes[cim.Fold(c.Name)] = c
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var r reply
		if decode(line, &r) != nil || r.Instance == nil {
			return
		}
		i, err := instance(r.Instance, classes["ct_types"], func(n string) *cim.Class { return classes[cim.Fold(n)] }, 0)
		if err != nil {
			return
		}
		again := reply{}
		if err := decode(appendInstance(nil, i, nil), &again.Instance); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		j, err := instance(again.Instance, i.Class(), func(n string) *cim.Class { return classes[cim.Fold(n)] }, 0)
		if err != nil || !i.Equal(j) {
			t.Fatalf("%v: written and read again it differs: %v", i, err)
		}
	})
}

// poor is a listener without descriptors for the first connections.
type poor struct {
	net.Listener
	left int
}

func (p *poor) Accept() (net.Conn, error) {
	if p.left > 0 {
		p.left--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return p.Listener.Accept()
}

// TestAcceptGoesOn: a connection that could not be accepted does not end the
// registrar.
func TestAcceptGoesOn(t *testing.T) {
	g := NewRegistrar(RegistrarOptions{
		UID:   func(net.Conn) (uint32, error) { return 0, nil },
		Admit: func(context.Context, uint32, string, string) error { return nil },
	})
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(&poor{l, 2}) }()
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	serve(t, ServeOptions{
		Provider: suite(t), Name: "Suite", Namespace: cimtest.Namespace,
		Dial: func(context.Context) (io.ReadWriteCloser, error) { return net.Dial("unix", l.Addr().String()) },
	})
	connected(t, g)
}
