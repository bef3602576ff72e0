package dcerpc

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/internal/ndr"
)

// seeds are PDUs written by hand, and the recorded ones where they are at hand.
func seeds(f *testing.F) [][]byte {
	list := [][]byte{
		{5, 0, 11, 3, 0x10, 0, 0, 0, 28, 0, 0, 0, 1, 0, 0, 0, 0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, 0, 0, 0, 0},
		{5, 0, 0, 3, 0x10, 0, 0, 0, 28, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		{5, 0, 3, 3, 0x10, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0},
		{5, 0, 13, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, 2, 0, 0, 0, 4, 0, 1, 5, 0, 0, 0, 0},
		{5, 0, 18, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 2},
	}
	for _, id := range []SyntaxID{MgmtID, {}} {
		b := bind{maxXmit: 5840, maxRecv: 5840, proposals: []proposal{{0, id, []SyntaxID{NDR20}}, {1, id, []SyntaxID{NDR64}}, {2, id, []SyntaxID{features}}}}
		raw, err := encodeBare(pduBind, flagFirst|flagLast, 1, &b, trailer{kind: AuthNTLM, level: LevelIntegrity}, []byte("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x0f"))
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

// Any fragment is refused or read without a panic, and what is read of a PDU that builds contexts is written as something that reads the same.
func FuzzPDU(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < headerSize {
			return
		}
		h, err := decodeHeader(raw)
		if err != nil || h.fragLen > len(raw) {
			return
		}
		p := &pdu{header: h}
		if p.split(raw[:h.fragLen]) != nil {
			return
		}
		var b bind
		if b.decode(p.decoder()) == nil {
			e := ndr.NewEncoder(nil, ndr.Format{})
			b.encode(e)
			var again bind
			if err := again.decode(ndr.NewDecoder(e.Stub(), ndr.Format{})); err != nil || len(again.proposals) != len(b.proposals) {
				t.Fatalf("%v: %d proposals, were %d", err, len(again.proposals), len(b.proposals))
			}
		}
		var a bindAck
		if a.decode(p.decoder()) == nil {
			e := ndr.NewEncoder(nil, ndr.Format{})
			a.encode(e)
			var again bindAck
			if err := again.decode(ndr.NewDecoder(e.Stub(), ndr.Format{})); err != nil || len(again.results) != len(a.results) {
				t.Fatalf("%v: %d results, were %d", err, len(again.results), len(a.results))
			}
		}
		var n bindNak
		if n.decode(p.decoder()) == nil {
			_ = n.err().Error()
		}
		var q request
		if q.decode(p) == nil {
			var s *Security
			if stub, err := s.verify(p, q.head(), false); err == nil {
				if rest, ok := cutVerification(stub, &verified{}); ok && len(rest) > len(stub) {
					t.Fatal("the stub grows")
				}
			}
		}
		var r response
		_ = r.decode(p)
		var x fault
		if x.decode(p) == nil {
			_ = (&Fault{Status: x.status}).Error()
		}
	})
}

// A server survives any stream of octets, and ends its connection and its goroutines with it.
func FuzzConversation(f *testing.F) {
	all := seeds(f)
	f.Add(bytes.Join(all, nil), false)
	f.Add(append(bytes.Clone(all[5]), all[1]...), true)
	f.Add(append(bytes.Clone(all[5]), all[4]...), false)
	f.Fuzz(func(t *testing.T, stream []byte, client bool) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, near)
		if client {
			c := NewConn(far, Options{})
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			go near.Write(stream)
			if b, err := c.Bind(ctx, MgmtID, nil); err == nil {
				_ = b.Call(ctx, 0, nilGUID, nil, nil)
			}
			c.Close()
			near.Close()
			return
		}
		s := NewServer(ServerOptions{Acceptor: func(t AuthType, _ net.Addr) (auth.Acceptor, error) {
			return ntlm.NewAcceptor(ntlm.AcceptorOptions{NetBIOSName: "HOST", AllowAnonymous: true, Secrets: func(context.Context, string, string) ([16]byte, error) {
				return [16]byte{}, nil
			}}), nil
		}})
		s.ServeConn(far)
		near.SetWriteDeadline(time.Now().Add(5 * time.Second))
		near.Write(stream)
		near.Close()
		s.Close()
	})
}
