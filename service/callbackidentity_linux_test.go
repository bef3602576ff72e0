package service

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/adtest"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// In one domain a sink is called by the machine's own account, by Kerberos and sealed, and neither end permits anything without a proof; the sink's
// computer verifies it. See spec/wmi.md 1.7.
func TestCallbackByMachineAccount(t *testing.T) {
	d := adtest.Shared(t)
	t.Setenv("KRB5_CONFIG", d.Krb5Conf)
	svc := dcomService(t)
	if _, err := svc.State.AddKeytab(d.Keytab(adtest.Server)); err != nil {
		t.Fatal(err)
	}
	client, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.AddKeytab(d.Keytab(adtest.Client)); err != nil {
		t.Fatal(err)
	}
	verify := SinkAcceptor(client.Dir)
	var mu sync.Mutex
	var callers []auth.Identity
	sinks := wmiclient.NewSinks(wmiclient.SinkOptions{Address: "127.0.0.1", Listen: new(net.ListenConfig).Listen, ResolverPort: 49135,
		Acceptor: func(kind dcerpc.AuthType, peer net.Addr) (auth.Acceptor, error) {
			a, err := verify(kind, peer)
			return &noted{a, func(id auth.Identity) {
				mu.Lock()
				defer mu.Unlock()
				callers = append(callers, id)
			}}, err
		}})
	for _, name := range []string{"stranger." + adtest.DNSName, "client." + adtest.DNSName} {
		svc.account.names = func(context.Context, string) ([]string, error) { return []string{name}, nil }
		at := netip.MustParseAddrPort(svc.DCOM().Resolver)
		client, err := wmiclient.New(at.Addr().String(), wmiclient.Options{Port: at.Port(), Sinks: sinks, Credentials: auth.Credentials{Username: "Administrator", Password: "Secret-1-word"}})
		if err != nil {
			t.Fatal(err)
		}
		wait := 30 * time.Second
		if name[0] == 's' { // nothing will come
			wait = 5 * time.Second
		}
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		err = asyncCaption(ctx, client)
		cancel()
		if known := name[0] == 'c'; (err == nil) != known {
			t.Errorf("the client is %s: %v", name, err)
		}
		client.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if len(callers) == 0 {
		t.Fatal("nobody called")
	}
	for _, id := range callers {
		if id.Account == nil || id.Account.SID != d.SIDOf(adtest.Server+"$") || id.Mechanism != auth.Kerberos {
			t.Errorf("the sink was called by %+v", id)
		}
	}
}

// noted tells who proved to be whom.
type noted struct {
	auth.Acceptor
	note func(auth.Identity)
}

func (n *noted) Step(ctx context.Context, in []byte) ([]byte, bool, error) {
	out, done, err := n.Acceptor.Step(ctx, in)
	if done {
		n.note(n.Context().Identity())
	}
	return out, done, err
}

func asyncCaption(ctx context.Context, c *wmiclient.Client) error {
	session, err := c.Open(ctx, cim.Caller{}, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		return err
	}
	defer session.Close() //nolint:errcheck // the answer is known
	a, err := session.(*wmiclient.Session).QueryAsync(ctx, "SELECT Caption FROM Win32_OperatingSystem", cim.QueryOptions{})
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // the answer is known
	_, err = a.Next(ctx, 0)
	return err
}
