package iwbem_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

type message interface {
	ndr.Marshaler
	ndr.Unmarshaler
}

var (
	object  = iwbem.ClassObject("\x78\x56\x34\x12\x01\x00\x00\x00\x02")
	context = iwbem.Context("\x01\x00\x00\x00")
	some    = security.GUID{15: 7}
	id      = iwbem.RefresherID{Machine: iwbem.String{Text: "CLIENT"}, Process: 4711, GUID: some}
)

func text(s string) iwbem.String { return iwbem.String{Text: s} }

// messages has every type with every field set, and again where a pointer may be NULL.
var messages = []message{
	&iwbem.EstablishPositionRequest{Reserved1: text("x"), Reserved2: 2},
	&iwbem.EstablishPositionRequest{Reserved1: iwbem.String{Null: true}},
	&iwbem.EstablishPositionResponse{LocaleVersion: 1, Result: 0x80004001},
	&iwbem.RequestChallengeRequest{Reserved1: text("a"), Reserved2: text("bc")},
	&iwbem.RequestChallengeResponse{Reserved3: [16]byte{1, 15: 2}, Result: 3},
	&iwbem.WBEMLoginRequest{Reserved1: text("a"), Reserved2: &[16]byte{4}, Reserved3: 5, Reserved4: context},
	&iwbem.WBEMLoginRequest{Reserved1: iwbem.String{Null: true}},
	&iwbem.WBEMLoginResponse{Ref: ref, Result: 1},
	&iwbem.NTLMLoginRequest{NetworkResource: text("//./root/cimv2"), PreferredLocale: text("en-US,en"), Flags: 1, Context: context},
	&iwbem.NTLMLoginRequest{NetworkResource: text("//./root/cimv2"), PreferredLocale: iwbem.String{Null: true}},
	&iwbem.NTLMLoginResponse{Ref: ref},
	&iwbem.NTLMLoginResponse{Result: 0x8004100e},
	&iwbem.SetClientInfoRequest{ClientMachine: text("CLIENT"), ClientProcess: 99, Reserved: 1},
	&iwbem.SetClientInfoExRequest{ClientMachine: text("CLIENT"), ClientMachineFQDN: text("client.example"), ClientProcess: 99, Created: [2]uint32{1, 2}, Reserved: 3},
	&iwbem.StatusResponse{Result: 0x80041001},
	&iwbem.EmptyRequest{},

	&iwbem.OpenNamespaceRequest{Namespace: text("cimv2"), Flags: 16, Context: context, Services: iwbem.RefSlot{Given: true, Ref: ref}, CallResult: iwbem.RefSlot{Given: true}},
	&iwbem.OpenNamespaceResponse{Services: iwbem.RefSlot{Given: true, Ref: ref}, CallResult: iwbem.RefSlot{Given: true, Ref: ref}, Result: 1},
	&iwbem.CancelAsyncCallRequest{Sink: ref},
	&iwbem.QueryObjectSinkRequest{Flags: 1},
	&iwbem.GetObjectRequest{Path: text("Win32_Process"), Flags: 1, Context: context, Object: iwbem.ObjectSlot{Given: true, Object: object}, CallResult: iwbem.RefSlot{Given: true, Ref: ref}},
	&iwbem.GetObjectRequest{Path: iwbem.String{Null: true}, Object: iwbem.ObjectSlot{Given: true}},
	&iwbem.GetObjectRequest{},
	&iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true, Object: object}, CallResult: iwbem.RefSlot{Given: true, Ref: ref}, Result: 5},
	&iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true}, Result: 0x80041002},
	&iwbem.PutInstanceRequest{Object: object, Flags: 2, Context: context, CallResult: iwbem.RefSlot{Given: true}},
	&iwbem.PutInstanceResponse{CallResult: iwbem.RefSlot{Given: true, Ref: ref}, Result: 1},
	&iwbem.PutClassAsyncRequest{Object: object, Flags: 2, Context: context, Sink: ref},
	&iwbem.DeleteClassRequest{Path: text("C"), Flags: 1, Context: context, CallResult: iwbem.RefSlot{Given: true}},
	&iwbem.CreateInstanceEnumRequest{Path: text("C"), Flags: 0x30, Context: context},
	&iwbem.GetObjectAsyncRequest{Path: text("Odd"), Flags: 0x80, Context: context, Sink: ref},
	&iwbem.ExecQueryRequest{Language: text("WQL"), Query: text("SELECT * FROM Ŵ𝕄"), Flags: 0x30, Context: context},
	&iwbem.ExecQueryAsyncRequest{Language: text("WQL"), Query: text("SELECT * FROM M"), Flags: 0x80, Context: context, Sink: ref},
	&iwbem.ExecMethodRequest{
		Path: text("C"), Method: text("M"), Flags: 1, Context: context, InParams: object,
		OutParams: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true},
	},
	&iwbem.ExecMethodAsyncRequest{Path: text("C"), Method: text("M"), Flags: 1, Context: context, InParams: object, Sink: ref},

	&iwbem.NextRequest{Timeout: iwbem.Forever, Count: 100},
	&iwbem.NextResponse{Size: 4, Objects: []iwbem.ClassObject{object, object[:8]}, Result: 1},
	&iwbem.NextResponse{Size: 4, Objects: []iwbem.ClassObject{}, Result: 0x40004},
	&iwbem.NextAsyncRequest{Count: 3, Sink: ref},
	&iwbem.SkipRequest{Timeout: 5, Count: 6},
	&iwbem.SmartNextRequest{Proxy: some, Timeout: 1000, Count: 50},
	&iwbem.SmartNextResponse{Returned: 2, Buffer: []byte("WBEMDATA."), Result: 1},
	&iwbem.SmartNextResponse{Result: 1},

	&iwbem.GetResultObjectRequest{Timeout: 8},
	&iwbem.GetResultObjectResponse{Object: object, Result: 2},
	&iwbem.GetResultStringResponse{Text: text(`\\H\root:C=1`), Result: 2},
	&iwbem.GetResultStringResponse{Text: iwbem.String{Null: true}},
	&iwbem.GetCallStatusResponse{Status: 1, Result: 2},

	&iwbem.IndicateRequest{Objects: []iwbem.ClassObject{object, nil, object}},
	&iwbem.IndicateRequest{Objects: []iwbem.ClassObject{}},
	&iwbem.SetStatusRequest{Flags: 2, Status: 0x80041003, Text: text("path"), Object: object},

	&iwbem.BackupRequest{File: "/tmp/backup", Flags: 1},

	&iwbem.AddObjectToRefresherRequest{Refresher: id, Path: "C=@", Flags: 1, Context: context, Version: 2},
	&iwbem.AddObjectToRefresherRequest{Refresher: iwbem.RefresherID{Machine: iwbem.String{Null: true}}, Path: "C"},
	&iwbem.AddObjectToRefresherByTemplateRequest{Refresher: id, Template: object, Flags: 1, Context: context, Version: 2},
	&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshRemote, Refresher: ref, Template: object, GUID: some, CancelID: 7}, Version: 2, Result: 3},
	&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshNonHiPerf, Namespace: text(`root\cimv2`), Template: object, CancelID: 7}, Version: 2, Result: 3},
	&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshNonHiPerf, Namespace: iwbem.String{Null: true}}},
	&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshInvalid, Status: 0x80041001, CancelID: 7}, Version: 2, Result: 3},
	&iwbem.RemoveObjectFromRefresherRequest{Refresher: id, ID: 1, Flags: 2, Version: 2},
	&iwbem.RemoveObjectFromRefresherResponse{Version: 2, Result: 1},
	&iwbem.GetRemoteRefresherRequest{Refresher: id, Flags: 1, Version: 2},
	&iwbem.GetRemoteRefresherResponse{Refresher: ref, GUID: some, Version: 2, Result: 1},
	&iwbem.ReconnectRemoteRefresherRequest{
		Refresher: id, Flags: 1, Version: 2,
		Infos:   []iwbem.ReconnectInfo{{Type: 0, Path: text("C=@")}, {Type: 1, Path: iwbem.String{Null: true}}, {Type: 1, Path: text("Cee")}},
		Results: []iwbem.ReconnectResult{{ID: 1, Status: 2}, {ID: 3, Status: 4}, {ID: 5}},
	},
	&iwbem.ReconnectRemoteRefresherResponse{Results: []iwbem.ReconnectResult{{ID: 1, Status: 2}}, Version: 2, Result: 3},
	&iwbem.RemoteRefreshRequest{Flags: 1},
	&iwbem.RemoteRefreshResponse{
		Objects: []iwbem.RefreshedObject{{RequestID: 1, Type: iwbem.BlobAll, Blob: []byte("abc")}, {RequestID: 2, Type: iwbem.BlobError}, {RequestID: 3, Type: iwbem.BlobEnum, Blob: []byte{}}},
		Result:  1,
	},
	&iwbem.RemoteRefreshResponse{},
	&iwbem.StopRefreshingRequest{IDs: []uint32{4, 5, 6}, Flags: 1},
}

var formats = []struct {
	name   string
	format ndr.Format
}{{"NDR20", ndr.Format{}}, {"NDR64", ndr.Format{Wide: true}}}

func encode(m message, f ndr.Format) []byte {
	e := ndr.NewEncoder(nil, f)
	m.MarshalNDR(e)
	return e.Stub()
}

func decode(t *testing.T, m message, stub []byte, f ndr.Format) {
	t.Helper()
	d := ndr.NewDecoder(stub, f)
	m.UnmarshalNDR(d)
	if d.Err() != nil || d.Left() != 0 {
		t.Errorf("%T: %v, %d octets left of %x", m, d.Err(), d.Left(), stub)
	}
}

func fresh(m message) message { return reflect.New(reflect.TypeOf(m).Elem()).Interface().(message) }

func TestEveryMessageIsReadAsWritten(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			for _, want := range messages {
				stub := encode(want, f.format)
				got := fresh(want)
				decode(t, got, stub, f.format)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("read\n%+v, written\n%+v", got, want)
				}
				for n := range len(stub) {
					d := ndr.NewDecoder(stub[:n], f.format)
					fresh(want).UnmarshalNDR(d)
					if !errors.Is(d.Err(), ndr.ErrBadStub) && d.Left() == 0 {
						t.Errorf("%T: %d of %d octets are read without an error", want, n, len(stub))
					}
				}
			}
		})
	}
}

// The octets are laid out by hand from the interface definition, [C706] 14.3 and [MS-RPCE] 2.2.5.
func TestLayout(t *testing.T) {
	custom := "MEOW\x04\x00\x00\x00" + "\x81\xa6\x12\xdc\x7f\x73\xcf\x11\x88\x4d\x00\xaa\x00\x4b\x2e\x24" +
		"\x12\xf8\x90\x45\x3a\x1d\xd0\x11\x89\x1f\x00\xaa\x00\x4b\x2e\x24" + "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + "ab"
	for _, c := range []struct {
		name   string
		format ndr.Format
		m      message
		stub   string
	}{
		{
			"a BSTR and slots", ndr.Format{},
			&iwbem.GetObjectRequest{Path: text("abc"), Flags: 0x20000, Object: iwbem.ObjectSlot{Given: true}},
			"User" + "\x03\x00\x00\x00" + "\x06\x00\x00\x00" + "\x03\x00\x00\x00" + "a\x00b\x00c\x00" + "\x00\x00" +
				"\x00\x00\x02\x00" + "\x00\x00\x00\x00" + "\x00\x00\x02\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00",
		},
		{
			"a BSTR that is NULL", ndr.Format{},
			&iwbem.CreateClassEnumRequest{Path: iwbem.String{Null: true}, Flags: 1},
			"User" + "\x00\x00\x00\x00" + "\xff\xff\xff\xff" + "\x00\x00\x00\x00" + "\x01\x00\x00\x00" + "\x00\x00\x00\x00",
		},
		{
			"a BSTR in NDR64", ndr.Format{Wide: true},
			&iwbem.CreateClassEnumRequest{Path: text("abc"), Flags: 1},
			"User\x00\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00" + "\x06\x00\x00\x00" + "\x03\x00\x00\x00" + "a\x00b\x00c\x00" + "\x00\x00" +
				"\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00",
		},
		{
			"an array of objects", ndr.Format{},
			&iwbem.NextResponse{Size: 3, Objects: []iwbem.ClassObject{iwbem.ClassObject("ab"), nil}, Result: 1},
			"\x03\x00\x00\x00" + "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + "\x00\x00\x02\x00" + "\x00\x00\x00\x00" +
				"\x32\x00\x00\x00" + "\x32\x00\x00\x00" + custom + "\x00\x00" + "\x02\x00\x00\x00" + "\x01\x00\x00\x00",
		},
		{
			"an array of objects in NDR64", ndr.Format{Wide: true},
			&iwbem.IndicateRequest{Objects: []iwbem.ClassObject{iwbem.ClassObject("ab")}},
			"\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x02\x00\x00\x00\x00\x00" +
				"\x32\x00\x00\x00\x00\x00\x00\x00" + "\x32\x00\x00\x00" + custom,
		},
		{
			"a structure in NDR64", ndr.Format{Wide: true},
			&iwbem.GetRemoteRefresherRequest{Refresher: iwbem.RefresherID{Machine: text("H"), Process: 5, GUID: security.GUID{1}}, Flags: 6, Version: 2},
			"\x00\x00\x02\x00\x00\x00\x00\x00" + "\x05\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" +
				"\x02\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "H\x00" + "\x00\x00" +
				"\x06\x00\x00\x00" + "\x02\x00\x00\x00",
		},
		{
			"a union", ndr.Format{},
			&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshNonHiPerf, Namespace: text("r"), CancelID: 9}, Version: 2, Result: 1},
			"\x06\x00\x00\x00" + "\x06\x00\x00\x00" + "\x00\x00\x02\x00" + "\x00\x00\x00\x00" + "\x09\x00\x00\x00" +
				"\x02\x00\x00\x00" + "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + "r\x00\x00\x00" + "\x02\x00\x00\x00" + "\x01\x00\x00\x00",
		},
		{
			"a union in NDR64", ndr.Format{Wide: true},
			&iwbem.AddEnumToRefresherResponse{Info: iwbem.RefreshInfo{Type: iwbem.RefreshInvalid, Status: 8, CancelID: 9}, Version: 2, Result: 1},
			"\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x08\x00\x00\x00" + "\x09\x00\x00\x00" +
				"\x02\x00\x00\x00" + "\x01\x00\x00\x00",
		},
		{
			"refreshed objects", ndr.Format{},
			&iwbem.RemoteRefreshResponse{Objects: []iwbem.RefreshedObject{{RequestID: 1, Type: 2, Blob: []byte("abc")}, {RequestID: 2, Type: 3}}},
			"\x02\x00\x00\x00" + "\x00\x00\x02\x00" + "\x02\x00\x00\x00" +
				"\x01\x00\x00\x00" + "\x02\x00\x00\x00" + "\x03\x00\x00\x00" + "\x04\x00\x02\x00" +
				"\x02\x00\x00\x00" + "\x03\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" +
				"\x03\x00\x00\x00" + "abc" + "\x00" + "\x00\x00\x00\x00",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := encode(c.m, c.format); string(got) != c.stub {
				t.Errorf("written as\n%x, want\n%x", got, c.stub)
			}
			got := fresh(c.m)
			decode(t, got, []byte(c.stub), c.format)
			if !reflect.DeepEqual(got, c.m) {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES names no folder with recorded stubs")
	}
	b, err := os.ReadFile(filepath.Join(dir, "wmio", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ExecMethod of Win32_Process.Create as a Windows client sends it, with ORPCTHIS, which has 32 octets.
func TestRecordedExecMethod(t *testing.T) {
	stub := fixture(t, "iwbemservices-execmethod-win32_process-create.stub.bin")
	d := ndr.NewDecoder(stub, ndr.Format{})
	d.Raw(32)
	var r iwbem.ExecMethodRequest
	r.UnmarshalNDR(d)
	if d.Err() != nil || d.Left() != 0 {
		t.Fatalf("%v, %d octets left", d.Err(), d.Left())
	}
	if r.Path.Text != "Win32_Process" || r.Method.Text != "create" || r.Flags != 0 || r.Context != nil || !r.OutParams.Given || r.CallResult.Given {
		t.Errorf("read as %+v", r)
	}
	if want := fixture(t, "win32_process-create-inparams.wmio.bin"); !bytes.Equal(r.InParams, want) {
		t.Errorf("the in parameters are %x", []byte(r.InParams))
	}
	e := ndr.NewEncoder(nil, ndr.Format{})
	e.Raw(stub[:32])
	r.MarshalNDR(e)
	// The size within an OBJREF_CUSTOM is arbitrary ([MS-DCOM] 2.2.18.6): this client wrote one that is six too large.
	size := bytes.Index(stub, []byte("MEOW")) + 44
	if n := binary.LittleEndian.Uint32(stub[size:]); int(n) != len(r.InParams)+6 {
		t.Errorf("the size is %d", n)
	}
	binary.LittleEndian.PutUint32(stub[size:], uint32(len(r.InParams)))
	if !bytes.Equal(e.Stub(), stub) {
		t.Errorf("written as\n%x, want\n%x", e.Stub(), stub)
	}
}

func TestObjectsByValueAreOfTheirClass(t *testing.T) {
	good := encode(&iwbem.GetResultObjectResponse{Object: object}, ndr.Format{})
	at := bytes.Index(good, []byte("MEOW"))
	for name, i := range map[string]int{"signature": 0, "kind": 4, "interface": 8, "class": 24, "count": -8, "size": -4} {
		b := bytes.Clone(good)
		b[at+i] ^= 2
		d := ndr.NewDecoder(b, ndr.Format{})
		new(iwbem.GetResultObjectResponse).UnmarshalNDR(d)
		if !errors.Is(d.Err(), ndr.ErrBadStub) {
			t.Errorf("another %s is taken", name)
		}
	}
}

// [MS-OAUT] 2.2.23.1: little-endian whatever the stub is.
func TestBSTRsOfABigEndianPeer(t *testing.T) {
	var r iwbem.GetResultStringResponse
	decode(t, &r, []byte("resU"+"\x02\x00\x00\x00"+"\x04\x00\x00\x00"+"\x02\x00\x00\x00"+"h\x00i\x00"+"\x80\x04\x10\x01"), ndr.Format{BigEndian: true})
	if r.Text.Text != "hi" || r.Result != 0x80041001 {
		t.Errorf("read as %+v", r)
	}
}

func TestSizesThatDisagree(t *testing.T) {
	for name, c := range map[string]struct {
		m    message
		stub string
	}{
		"a BSTR of more octets than units": {new(iwbem.GetResultStringResponse), "User" + "\x01\x00\x00\x00" + "\x04\x00\x00\x00" + "\x01\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"a BSTR of other counts":           {new(iwbem.GetResultStringResponse), "User" + "\x02\x00\x00\x00" + "\x02\x00\x00\x00" + "\x01\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"a BSTR past the end":              {new(iwbem.GetResultStringResponse), "User" + "\xff\xff\xff\x7f" + "\xfe\xff\xff\xff" + "\xff\xff\xff\x7f"},
		"more objects returned":            {new(iwbem.NextResponse), "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + "\x00\x00\x00\x00"},
		"more objects than asked for":      {new(iwbem.NextResponse), "\x01\x00\x00\x00" + "\x00\x00\x00\x00" + "\x02\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"another number of objects":        {new(iwbem.IndicateRequest), "\x02\x00\x00\x00" + "\x01\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"another number of identifiers":    {new(iwbem.StopRefreshingRequest), "\x02\x00\x00\x00" + "\x01\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"another tag of a union":           {new(iwbem.AddEnumToRefresherResponse), "\x00\x00\x00\x00" + "\x03\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"a tag that is none":               {new(iwbem.AddEnumToRefresherResponse), "\x05\x00\x00\x00" + "\x05\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"objects that are not there":       {new(iwbem.RemoteRefreshResponse), "\x02\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"another size of a buffer":         {new(iwbem.SmartNextResponse), "\x01\x00\x00\x00" + "\x02\x00\x00\x00" + "\x01\x00\x00\x00" + "\x01\x00\x00\x00" + strings.Repeat("\x00", 64)},
		"more objects than may be":         {new(iwbem.IndicateRequest), "\x01\x00\x01\x00" + "\x01\x00\x01\x00" + strings.Repeat("\x00", 4*65537)},
	} {
		d := ndr.NewDecoder([]byte(c.stub), ndr.Format{})
		c.m.UnmarshalNDR(d)
		if !errors.Is(d.Err(), ndr.ErrBadStub) {
			t.Errorf("%s is taken as %+v", name, c.m)
		}
	}
}

// FuzzStubs reads arbitrary octets as each message; what is read is written and read again as the same.
func FuzzStubs(f *testing.F) {
	for i, m := range messages {
		for _, format := range formats {
			f.Add(encode(m, format.format), byte(i), format.format.Wide, false)
		}
	}
	f.Fuzz(func(t *testing.T, stub []byte, which byte, wide, big bool) {
		m := fresh(messages[int(which)%len(messages)])
		d := ndr.NewDecoder(stub, ndr.Format{Wide: wide, BigEndian: big})
		m.UnmarshalNDR(d)
		if d.Err() != nil {
			return
		}
		format := ndr.Format{Wide: wide}
		again := fresh(m)
		written := encode(m, format)
		decode(t, again, written, format)
		if !bytes.Equal(encode(again, format), written) {
			t.Errorf("%T: %+v was written, %+v read", m, m, again)
		}
	})
}

var ref = &dcom.ObjRef{
	Kind: dcom.ObjRefStandard, IID: wmi.IIDServices, Std: dcom.StdObjRef{PublicRefs: 5, OXID: 1, OID: 2, IPID: security.GUID([]byte("IPID____________"))},
	Resolver: dcom.DualStringArray{Strings: []dcom.StringBinding{{Tower: 7, Address: "host"}}, Security: []dcom.SecurityBinding{{AuthnSvc: 10}}},
}

// go-msrpc offers a place for a result by a pointer to an interface pointer of no octets.
func TestAnEmptyPlaceForAResult(t *testing.T) {
	d := ndr.NewDecoder([]byte("User"+"\x03\x00\x00\x00"+"\x06\x00\x00\x00"+"\x03\x00\x00\x00"+"a\x00b\x00c\x00"+"\x00\x00"+
		"\x00\x00\x00\x00"+"\x00\x00\x00\x00"+"\x01\x00\x00\x00"+"\x01\x00\x00\x00"+"\x00\x00\x00\x00\x00\x00\x00\x00"+"\x00\x00\x00\x00"), ndr.Format{})
	var r iwbem.GetObjectRequest
	if r.UnmarshalNDR(d); d.Err() != nil || r.Path != text("abc") || !r.Object.Given || r.Object.Object != nil {
		t.Errorf("%+v, %v", r, d.Err())
	}
}

// impacket writes its strings with their terminator: "WQL" of 8 octets.
func TestTerminatorInBSTR(t *testing.T) {
	stub := "User" + "\x04\x00\x00\x00" + "\x08\x00\x00\x00" + "\x04\x00\x00\x00" + "W\x00Q\x00L\x00\x00\x00" + "\x01\x00\x00\x00" + "\x00\x00\x00\x00"
	var m iwbem.CreateClassEnumRequest
	d := ndr.NewDecoder([]byte(stub), ndr.Format{})
	if m.UnmarshalNDR(d); d.Err() != nil || m.Path != text("WQL") || m.Flags != 1 {
		t.Errorf("%+v, %v", m, d.Err())
	}
}
