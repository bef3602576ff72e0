package dcom_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
)

// recordedStub is the stub of a request or a response that Windows sent.
type recordedStub struct {
	file, iid string
	opnum     int
	response  bool
	stub      []byte
}

type recordedPDU struct {
	Stream    int
	Ptype     string
	CallID    int `json:"call_id"`
	Ctx       int
	Opnum     int
	AuthLevel int `json:"auth_level"`
	Flags     int
	Contexts  [][2]any
	PDU       string
}

// recordedStubs reads what is readable in the captures: calls below the level of privacy.
func recordedStubs(t testing.TB) []recordedStub {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES is not set")
	}
	files, err := filepath.Glob(filepath.Join(dir, "rpc-pdus", "windows-*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures in %s: %v", dir, err)
	}
	var out []recordedStub
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		type key struct{ stream, id int }
		interfaces, calls := map[key]string{}, map[key]recordedStub{}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var p recordedPDU
			if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Contexts {
				interfaces[key{p.Stream, int(c[0].(float64))}], _ = c[1].(string)
			}
			if p.AuthLevel == 6 || p.Flags&3 != 3 {
				continue
			}
			raw, err := hex.DecodeString(p.PDU)
			if err != nil {
				t.Fatal(err)
			}
			switch p.Ptype {
			case "request":
				s := recordedStub{file: filepath.Base(name), iid: interfaces[key{p.Stream, p.Ctx}], opnum: p.Opnum, stub: body(raw, 24+16*(p.Flags>>7))}
				calls[key{p.Stream, p.CallID}] = s
				out = append(out, s)
			case "response":
				if s, ok := calls[key{p.Stream, p.CallID}]; ok {
					s.response, s.stub = true, body(raw, 24)
					out = append(out, s)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// body cuts header, authentication and verification trailer off a PDU ([C706] 12.6.4, [MS-RPCE] 2.2.2.11 and 2.2.2.13).
func body(pdu []byte, header int) []byte {
	end := len(pdu)
	if n := int(binary.LittleEndian.Uint16(pdu[10:])); n > 0 {
		end -= n + 8
		end -= int(pdu[end+2])
	}
	stub := pdu[header:end]
	if i := bytes.LastIndex(stub, []byte("\x8a\xe3\x13\x71\x02\xf4\x36\x71")); i >= 0 {
		stub = stub[:i]
	}
	return stub
}

type message interface {
	ndr.Marshaler
	ndr.Unmarshaler
}

// orpc is a call of an object: ORPCTHIS or ORPCTHAT before the arguments.
type orpc struct{ head, rest message }

func (o orpc) MarshalNDR(e *ndr.Encoder) {
	o.head.MarshalNDR(e)
	o.rest.MarshalNDR(e)
}

func (o orpc) UnmarshalNDR(d *ndr.Decoder) {
	o.head.UnmarshalNDR(d)
	o.rest.UnmarshalNDR(d)
}

// recordedMessages is the type of each message that the captures hold.
var recordedMessages = map[string]map[int][2]func() message{
	dcom.IIDObjectExporter.String(): {
		1: {func() message { return new(dcom.SimplePingRequest) }, func() message { return new(dcom.StatusResponse) }},
		5: {nil, func() message { return new(dcom.ServerAlive2Response) }},
	},
	dcom.IIDRemoteSCMActivator.String(): {
		3: {func() message { return new(dcom.RemoteGetClassObjectRequest) }, func() message { return new(dcom.SCMActivatorResponse) }},
		4: {func() message { return new(dcom.RemoteCreateInstanceRequest) }, func() message { return new(dcom.SCMActivatorResponse) }},
	},
	dcom.IIDClassFactory.String(): {
		3: {func() message { return orpc{new(dcom.ORPCThis), new(dcom.CreateInstanceRequest)} }, func() message { return orpc{new(dcom.ORPCThat), new(dcom.CreateInstanceResponse)} }},
	},
	dcom.IIDRemUnknown2.String(): {
		3: {func() message { return orpc{new(dcom.ORPCThis), new(dcom.RemQueryInterfaceRequest)} }, func() message { return orpc{new(dcom.ORPCThat), new(dcom.RemQueryInterfaceResponse)} }},
		5: {func() message { return orpc{new(dcom.ORPCThis), new(dcom.InterfaceRefsRequest)} }, func() message { return orpc{new(dcom.ORPCThat), new(dcom.ResultResponse)} }},
	},
}

// What Windows sent is read to the last octet, and encodes back to the same octets.
func TestRecordedWindows(t *testing.T) {
	seen := map[string]int{}
	for _, s := range recordedStubs(t) {
		kind := recordedMessages[s.iid][s.opnum]
		make := kind[0]
		if s.response {
			make = kind[1]
		}
		if make == nil {
			// An interface of the application: its first argument is ORPCTHIS or ORPCTHAT all the same.
			if s.iid == dcom.IIDObjectExporter.String() {
				continue
			}
			seen["other"]++
			head := message(new(dcom.ORPCThis))
			if s.response {
				head = new(dcom.ORPCThat)
			}
			d := ndr.NewDecoder(s.stub, ndr.Format{})
			head.UnmarshalNDR(d)
			e := ndr.NewEncoder(nil, ndr.Format{})
			head.MarshalNDR(e)
			if d.Err() != nil || !bytes.HasPrefix(s.stub, e.Stub()) {
				t.Errorf("%s %s opnum %d: %v; %x is written as %x", s.file, s.iid, s.opnum, d.Err(), s.stub, e.Stub())
			}
			continue
		}
		m := make()
		d := ndr.NewDecoder(s.stub, ndr.Format{})
		m.UnmarshalNDR(d)
		// A stub is padded to four octets before a verification trailer.
		if d.Err() != nil || d.Left() > 3 {
			t.Errorf("%s %T: %v, %d octets left of %x", s.file, m, d.Err(), d.Left(), s.stub)
			continue
		}
		e := ndr.NewEncoder(nil, ndr.Format{})
		m.MarshalNDR(e)
		if want := s.stub[:len(s.stub)-d.Left()]; !bytes.Equal(e.Stub(), want) {
			t.Errorf("%s %s opnum %d: written as\n%x, Windows wrote\n%x", s.file, s.iid, s.opnum, e.Stub(), want)
		}
		seen[s.iid]++
		checkActivation(t, m)
	}
	for iid, want := range map[string]int{
		dcom.IIDObjectExporter.String(): 4, dcom.IIDRemoteSCMActivator.String(): 8, dcom.IIDClassFactory.String(): 4, dcom.IIDRemUnknown2.String(): 88, "other": 350,
	} {
		if seen[iid] < want {
			t.Errorf("%d messages of %s, want at least %d", seen[iid], iid, want)
		}
	}
}

// checkActivation does the same for the properties within an activation.
func checkActivation(t *testing.T, m message) {
	var ref *dcom.ObjRef
	switch m := m.(type) {
	case *dcom.RemoteGetClassObjectRequest:
		ref = m.Properties
	case *dcom.RemoteCreateInstanceRequest:
		ref = m.Properties
	case *dcom.SCMActivatorResponse:
		ref = m.Properties
	default:
		return
	}
	a, err := dcom.ParseActivationProperties(ref.Data)
	if err != nil {
		t.Fatalf("%T: %v", m, err)
	}
	if got := a.Append(nil); !bytes.Equal(got, ref.Data) {
		t.Errorf("%T: the properties are written as\n%x, Windows wrote\n%x", m, got, ref.Data)
	}
	if int(ref.Reserved) != len(ref.Data)+8 {
		t.Errorf("%T: Windows wrote the size %d for %d octets", m, ref.Reserved, len(ref.Data))
	}
	for _, p := range a.Properties {
		switch p := p.(type) {
		case *dcom.UnknownProperty:
			t.Errorf("%T: the property %v is not understood", m, p.CLSID)
		case *dcom.ActivationContextInfo:
			c, err := dcom.ParseContext(p.Client)
			if err != nil {
				t.Errorf("%T: %v", m, err)
				continue
			}
			if got := c.ObjRef().Append(nil); !bytes.Equal(got, p.Client.Append(nil)) {
				t.Errorf("%T: the context is written as %x, Windows wrote %x", m, got, p.Client.Append(nil))
			}
		}
	}
}

// What stands in one of the captures, as other programs and the eye read it.
func TestRecordedActivation(t *testing.T) {
	for _, s := range recordedStubs(t) {
		if s.file != "windows-wmi-process-create.jsonl" || s.iid != dcom.IIDRemoteSCMActivator.String() {
			continue
		}
		d := ndr.NewDecoder(s.stub, ndr.Format{})
		if !s.response {
			var m dcom.RemoteCreateInstanceRequest
			m.UnmarshalNDR(d)
			a, err := dcom.ParseActivationProperties(m.Properties.Data)
			if err != nil {
				t.Fatal(err)
			}
			i := a.Properties[1].(*dcom.InstantiationInfo)
			if i.CLSID.String() != "8bc3f05e-d86b-11d0-a075-00c04fb68820" || i.IIDs[0].String() != "f309ad18-d86a-11d0-a075-00c04fb68820" || i.ClassContext != 0x14 {
				t.Errorf("the activation is of %+v", i)
			}
			if n := a.Properties[3].(*dcom.SecurityInfo).Server.Name; *n != "WORKSTATION6" {
				t.Errorf("the server is called %q", *n)
			}
			continue
		}
		var m dcom.SCMActivatorResponse
		m.UnmarshalNDR(d)
		a, err := dcom.ParseActivationProperties(m.Properties.Data)
		if err != nil {
			t.Fatal(err)
		}
		x := a.Properties[1].(*dcom.ScmReplyInfo).Exporter
		if x.AuthnHint != 4 || x.Version != dcom.Version || len(x.Bindings.Strings) != 2 || x.Bindings.Strings[1] != (dcom.StringBinding{Tower: 7, Address: "172.18.39.6[52419]"}) ||
			len(x.Bindings.Security) != 6 || x.Bindings.Security[0] != (dcom.SecurityBinding{AuthnSvc: 10, Principal: `NT AUTHORITY\SYSTEM`}) {
			t.Errorf("the exporter is %+v", x)
		}
		std := a.Properties[0].(*dcom.PropsOut).Interfaces[0].Object.Std
		if std.OXID != x.OXID || std.PublicRefs != 5 || std.Flags != 0 {
			t.Errorf("the object is %+v", std)
		}
	}
}
