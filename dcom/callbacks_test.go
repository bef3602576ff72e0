package dcom_test

import (
	"net"
	"testing"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
)

// A client that is called back: the reference tells the address that the service sees, at a port that resolves and serves.
func TestCallbacks(t *testing.T) {
	w := newWorld(t, worldOptions{}, tcp)
	c := newClient(t, dcom.ClientOptions{Blanket: as("bob")})
	p := activate(t, c, w)
	if _, err := add(t, p, 1); err != nil {
		t.Fatal(err)
	}
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]dcom.CallbackOptions{
		"one port":     {Objects: everywhere, Level: dcerpc.LevelNone, Acceptor: acceptor, HostName: "client.example"},
		"two ports":    {Objects: tcp(t), Resolver: tcp(t), Level: dcerpc.LevelNone, Acceptor: acceptor},
		"no anonymous": {Objects: tcp(t), Acceptor: acceptor},
		"no mechanism": {Objects: tcp(t), Level: dcerpc.LevelNone},
	} {
		callbacks, err := dcom.ListenCallbacks(opts)
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{released: make(chan struct{})}
		ref, err := callbacks.Export(s, dcom.ExportOptions{IID: iidCounter}, p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at, _, err := dcom.ParseStringBinding(ref.Resolver.Strings[0].Address)
		if err != nil || at != "127.0.0.1" {
			t.Errorf("%s: the reference begins with %+v, %v", name, ref.Resolver.Strings[0], err)
		}
		for how, b := range map[string]dcom.Blanket{"anonymous": {}, "bob": as("bob")} {
			ref.Std.PublicRefs = 0 // each asks for its own
			service := dcom.NewClient(dcom.ClientOptions{Blanket: b})
			q, err := service.Unmarshal(within(t), "127.0.0.1", ref)
			var n uint32
			if err == nil {
				n, err = add(t, q, 5)
			}
			denied := how == "anonymous" && name == "no anonymous" || how == "bob" && name == "no mechanism"
			if denied != (err != nil) || !denied && (n == 0 || n%5 != 0) {
				t.Errorf("%s, %s: %d, %v", name, how, n, err)
			}
			if err := service.Close(); err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		if err := callbacks.Close(); err != nil {
			t.Error(err)
		}
		<-s.released
	}
	if _, err := dcom.ListenCallbacks(dcom.CallbackOptions{}); err == nil {
		t.Error("callbacks without a listener")
	}
}
