package dcerpc

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Octets that Windows leaves at random, by what they are. Everything else of a recorded PDU has to come back as it was.
var undefined = []struct {
	kind   pduType
	reason string
	where  func(p *pdu) (from, to int)
}{
	{pduAlterResp, "padding before the results ([C706] 12.6.4.4, pad2): Windows sends what was there before", func(*pdu) (int, int) { return 26, 28 }},
	{pduAuth3, "pad ([MS-RPCE] 2.2.2.10: any value)", func(*pdu) (int, int) { return 16, 20 }},
}

// encode makes a PDU of what was read of one.
func (p *pdu) encode(t *testing.T) []byte {
	t.Helper()
	b := appendHeader(nil, p.kind, p.flags, p.callID)
	stub := func(head int) []byte { return p.raw[head : headerSize+len(p.body)] }
	tail := func(b []byte) []byte {
		if p.authLen > 0 {
			b = append(p.trailer.append(b), p.token...)
		}
		return finishHeader(b, p.authLen)
	}
	bare := func(body encoder) []byte {
		var token []byte
		if p.authLen > 0 {
			token = p.token
		}
		b, err := encodeBare(p.kind, p.flags, p.callID, body, p.trailer, token)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch p.kind {
	case pduBind, pduAlter:
		var body bind
		check(body.decode(p.decoder()))
		return bare(&body)
	case pduBindAck, pduAlterResp:
		var body bindAck
		check(body.decode(p.decoder()))
		return bare(&body)
	case pduAuth3:
		return bare(auth3Pad{})
	case pduRequest:
		var r request
		check(r.decode(p))
		return tail(append(r.append(b), stub(r.head())...))
	case pduResponse:
		var r response
		check(r.decode(p))
		return tail(append(r.append(b), stub(headerSize+callHead)...))
	}
	t.Fatalf("%v is not among the recorded kinds", p.kind)
	return nil
}

type recorded struct {
	Stream int
	Frame  int
	From   string
	PDU    string
}

func readRecorded(t testing.TB, each func(name string, r recorded, raw []byte)) {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES names no folder of recorded bytes")
	}
	files, err := filepath.Glob(filepath.Join(dir, "rpc-pdus", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded PDUs: %v", err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var r recorded
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			raw, err := hex.DecodeString(r.PDU)
			if err != nil {
				t.Fatal(err)
			}
			each(filepath.Base(name), r, raw)
		}
		if lines.Err() != nil {
			t.Fatal(lines.Err())
		}
	}
}

func parse(raw []byte) (*pdu, error) {
	var p pdu
	var err error
	if p.header, err = decodeHeader(raw); err != nil {
		return nil, err
	}
	return &p, p.split(raw)
}

func TestRecordedPDUs(t *testing.T) {
	seen := map[pduType]int{}
	readRecorded(t, func(name string, r recorded, raw []byte) {
		p, err := parse(raw)
		if err != nil || p.fragLen != len(raw) {
			t.Fatalf("%s, frame %d: %v", name, r.Frame, err)
		}
		seen[p.kind]++
		want, got := bytes.Clone(raw), p.encode(t)
		for _, u := range undefined {
			if u.kind == p.kind && len(got) == len(want) {
				from, to := u.where(p)
				clear(want[from:to])
				clear(got[from:to])
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s, frame %d: a %v comes back as\n%x, was\n%x", name, r.Frame, p.kind, got, want)
		}
	})
	if seen[pduBind] != 11 || seen[pduAlterResp] != 25 || seen[pduRequest] != 240 || seen[pduResponse] != 245 {
		t.Errorf("seen %v", seen)
	}
}

// The requests of the clear capture end in verification trailers, as [MS-RPCE] 2.2.2.13 says: those of a signed connection that are the first to
// use a presentation context. Each agrees with what was negotiated.
func TestRecordedVerification(t *testing.T) {
	type key struct {
		stream  int
		context uint16
	}
	contexts := map[key]verified{}
	proposed := map[[2]int]bind{}
	found := 0
	readRecorded(t, func(name string, r recorded, raw []byte) {
		if name != "windows-dcom-ctxids-clear.jsonl" {
			return
		}
		p, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		id := [2]int{r.Stream, int(p.callID)}
		switch p.kind {
		case pduBind, pduAlter:
			var b bind
			if err := b.decode(p.decoder()); err != nil {
				t.Fatal(err)
			}
			proposed[id] = b
		case pduBindAck, pduAlterResp:
			var a bindAck
			if err := a.decode(p.decoder()); err != nil {
				t.Fatal(err)
			}
			for i, x := range a.results {
				if x.result == resultAccepted {
					contexts[key{r.Stream, proposed[id].proposals[i].contextID}] = verified{abstract: proposed[id].proposals[i].abstract, transfer: x.transfer}
				}
			}
		case pduRequest:
			var q request
			if err := q.decode(p); err != nil {
				t.Fatal(err)
			}
			stub := p.raw[q.head() : headerSize+len(p.body)-int(p.trailer.pad)]
			v, ok := contexts[key{r.Stream, q.contextID}]
			if !ok {
				t.Fatalf("frame %d uses context %d", r.Frame, q.contextID)
			}
			v.rep, v.callID, v.contextID, v.opnum, v.headerSigns = p.rep, p.callID, q.contextID, q.opnum, true
			rest, ok := cutVerification(stub, &v)
			if !ok {
				t.Errorf("frame %d: the verification trailer is refused", r.Frame)
			}
			if len(rest) == len(stub) {
				return
			}
			found++
			// Ours is the same, byte for byte: a bitmask, or a context, or both.
			context := bytes.Contains(stub[len(rest):], v.syntaxes())
			bitmask := !context || len(stub)-len(rest) > 8+44
			ours := appendVerification(bytes.Clone(rest), 0, &v, bitmask, context, false)
			if !bytes.Equal(ours, stub) {
				t.Errorf("frame %d: ours is\n%x, recorded\n%x", r.Frame, ours[len(rest):], stub[len(rest):])
			}
			w := v
			if w.abstract.UUID[3] ^= 1; context {
				if _, ok := cutVerification(stub, &w); ok {
					t.Errorf("frame %d: another interface passes", r.Frame)
				}
			}
			if w = v; bitmask {
				w.headerSigns = false
				if _, ok := cutVerification(stub, &w); ok {
					t.Errorf("frame %d: header signing that was not offered passes", r.Frame)
				}
			}
		}
	})
	if found == 0 {
		t.Error("no verification trailer is found")
	}
	t.Logf("%d verification trailers", found)
}

// What Windows clients propose our server answers as Windows servers did: features, and the representation of each interface. Which of two
// representations it takes depends there on the interface at that server; among those recorded one is of NDR64, IClassFactory of the first capture.
func TestRecordedNegotiation(t *testing.T) {
	factory := Syntax("00000001-0000-0000-c000-000000000046", 0, 0)
	capture := ""
	s := NewServer(ServerOptions{Lookup: func(id SyntaxID) *Interface {
		return &Interface{ID: id, PrefersNDR20: id != factory || capture != "windows-dcom-ctxids-clear.jsonl"}
	}})
	conns := map[string]*serverConn{}
	asked := map[string]bind{}
	compared, wide := 0, 0
	readRecorded(t, func(name string, r recorded, raw []byte) {
		p, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		capture = name
		stream := fmt.Sprint(name, r.Stream)
		switch p.kind {
		case pduBind, pduAlter:
			var b bind
			if err := b.decode(p.decoder()); err != nil {
				t.Fatal(err)
			}
			asked[stream] = b
			if p.kind == pduBind {
				conns[stream] = &serverConn{srv: s, contexts: map[uint16]*presentation{}}
			}
		case pduBindAck, pduAlterResp:
			var a bindAck
			if err := a.decode(p.decoder()); err != nil {
				t.Fatal(err)
			}
			got, err := conns[stream].negotiate(asked[stream].proposals, p.kind == pduBindAck)
			if err != nil || !slices.Equal(got, a.results) {
				t.Errorf("%s, frame %d: answered %v (%v), recorded %v", name, r.Frame, got, err, a.results)
			}
			for _, x := range a.results {
				if x.transfer == NDR64 {
					wide++
				}
			}
			compared++
		}
	})
	t.Logf("%d negotiations compared, %d end in NDR64", compared, wide)
}
