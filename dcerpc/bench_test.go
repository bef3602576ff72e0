package dcerpc_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/casementhq/casement/dcerpc"
)

// One call and its answer over loopback: both ends are counted.
func BenchmarkRoundTrip(b *testing.B) {
	for _, level := range []dcerpc.Level{dcerpc.LevelNone, dcerpc.LevelIntegrity, dcerpc.LevelPrivacy} {
		b.Run(level.String(), func(b *testing.B) { bench(b, level, &numberArg{64}) })
	}
}

// An answer of 360,000 octets, as of many objects.
func BenchmarkResponse360k(b *testing.B) {
	for _, level := range []dcerpc.Level{dcerpc.LevelNone, dcerpc.LevelIntegrity, dcerpc.LevelPrivacy} {
		b.Run(level.String(), func(b *testing.B) {
			b.SetBytes(360_000)
			bench(b, level, &numberArg{360_000})
		})
	}
}

func bench(b *testing.B, level dcerpc.Level, in *numberArg) {
	addr := serve(b, dcerpc.ServerOptions{}, echo(dcerpc.LevelNone, nil))
	c := dial(b, addr, dcerpc.Options{})
	var sec *dcerpc.Security
	if level > dcerpc.LevelNone {
		sec = c.NewSecurity(dcerpc.AuthNTLM, level, initiator(dcerpc.AuthNTLM, "bob", password))
	}
	ctx := context.Background()
	bind, err := c.Bind(ctx, echoID, sec)
	if err != nil {
		b.Fatal(err)
	}
	var out bytesArg
	b.ReportAllocs()
	for b.Loop() {
		if err := bind.Call(ctx, 5, none, in, &out); err != nil || len(out.b) != int(in.n) {
			b.Fatal(fmt.Errorf("%w: %d octets", err, len(out.b)))
		}
	}
}
