package dcom

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// The activation that this client asks for is, octet for octet, the one that Windows asks for when its class, interface, host and causality are the same.
func TestActivationRequestIsThatOfWindows(t *testing.T) {
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES is not set")
	}
	b, err := os.ReadFile(filepath.Join(dir, "rpc-pdus", "windows-activation-kerberos.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var stub []byte
	for line := range strings.Lines(string(b)) {
		if _, pdu, ok := strings.Cut(line, `"pdu": "`); ok && strings.Contains(line, `"ptype": "request"`) {
			raw, err := hex.DecodeString(pdu[:strings.IndexByte(pdu, '"')])
			if err != nil {
				t.Fatal(err)
			}
			stub = raw[24:]
			break
		}
	}
	// What the capture shows: CLSID_WbemLevel1Login, IID_IWbemLevel1Login, the name of the host, and two random GUIDs.
	var recorded RemoteCreateInstanceRequest
	recorded.UnmarshalNDR(ndr.NewDecoder(stub, ndr.Format{}))
	props, err := ParseActivationProperties(recorded.Properties.Data)
	if err != nil {
		t.Fatal(err)
	}
	from, err := ParseContext(findProperty[*ActivationContextInfo](props).Client)
	if err != nil {
		t.Fatal(err)
	}
	ours := &RemoteCreateInstanceRequest{
		This: ORPCThis{Version: Version, Flags: activationFlags, CID: recorded.This.CID},
		Properties: activationRequest(mustGUID("8bc3f05e-d86b-11d0-a075-00c04fb68820"), []security.GUID{mustGUID("f309ad18-d86a-11d0-a075-00c04fb68820")},
			"BLACKCLOVER-DC", dcerpc.LevelConnect, Version, &Context{ID: from.ID}),
	}
	e := ndr.NewEncoder(nil, ndr.Format{})
	ours.MarshalNDR(e)
	if !bytes.Equal(e.Stub(), stub) {
		t.Errorf("written as\n%x, Windows wrote\n%x", e.Stub(), stub)
	}
}

// F57: what an exporter hints at is raised to Integrity with NTLM and to Privacy with what may be Kerberos; what the user asked for is never lowered.
func TestCallLevel(t *testing.T) {
	with := func(a dcerpc.AuthType, l dcerpc.Level, exactly bool) *Blanket {
		b := &Blanket{AuthType: a, Level: l, Exactly: exactly}
		b.Initiator = noInitiator
		return b
	}
	for _, c := range []struct {
		b    *Blanket
		hint uint32
		want dcerpc.Level
	}{
		{with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false), 2, dcerpc.LevelIntegrity},
		{with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false), 5, dcerpc.LevelIntegrity},
		{with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false), 6, dcerpc.LevelPrivacy},
		{with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false), 0, dcerpc.LevelIntegrity},
		{with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false), 0xffffffff, dcerpc.LevelPrivacy},
		{with(dcerpc.AuthSPNEGO, dcerpc.LevelPacket, false), 4, dcerpc.LevelPrivacy},
		{with(dcerpc.AuthSPNEGO, dcerpc.LevelPacket, false), 1, dcerpc.LevelIntegrity},
		{with(dcerpc.AuthNTLM, 0, false), 4, dcerpc.LevelPrivacy},
		{with(dcerpc.AuthNTLM, dcerpc.LevelPacket, true), 5, dcerpc.LevelPacket},
		{&Blanket{}, 5, dcerpc.LevelNone},
	} {
		if got := c.b.callLevel(c.hint); got != c.want {
			t.Errorf("%v at %v, hint %d: %v, want %v", c.b.AuthType, c.b.Level, c.hint, got, c.want)
		}
	}
	if got := with(dcerpc.AuthNTLM, dcerpc.LevelConnect, false).activationLevel(); got != dcerpc.LevelIntegrity {
		t.Errorf("an activation at %v", got)
	}
}

func noInitiator(string, string) (auth.Initiator, error) { return nil, auth.ErrUnsupported }
