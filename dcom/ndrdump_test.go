package dcom_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// ndrdump of Samba reads each message that it describes as [MS-DCOM] does. "says" are pieces of what it prints of what was written; where "validated" is
// true it writes the stub back too, which it cannot with bindings. It has another form than Windows sends for ServerAlive2, RemQueryInterface and
// RemoteCreateInstance (it does not read Windows' own, with which TestRecordedWindows compares), and GUIDs for the objects of ComplexPing.
var dumped = []struct {
	iface, function, direction string
	m                          message
	request                    message // where the answer cannot be read without it
	validated                  bool
	says                       []string
}{
	{"IOXIDResolver", "ResolveOxid", "in", &dcom.ResolveOxidRequest{OXID: 0x1122334455, Protseqs: []uint16{7, 8}}, nil, true, []string{"0x0000001122334455", "0x0007 (7)", "0x0008 (8)"}},
	{"IOXIDResolver", "ResolveOxid2", "in", &dcom.ResolveOxidRequest{OXID: 0x1122334455, Protseqs: []uint16{7}}, nil, true, []string{"0x0000001122334455"}},
	{"IOXIDResolver", "ResolveOxid", "out", &dcom.ResolveOxidResponse{Exporter: exporterInfo}, nil, false, []string{"h[9]", "44495049", "5"}},
	{"IOXIDResolver", "ResolveOxid2", "out", &dcom.ResolveOxid2Response{ResolveOxidResponse: dcom.ResolveOxidResponse{Exporter: exporterInfo}}, nil, false, []string{"h[9]", "44495049", "0x0007 (7)"}},
	{"IOXIDResolver", "SimplePing", "in", &dcom.SimplePingRequest{SetID: 0x1122334455}, nil, true, []string{"0x0000001122334455"}},
	{"IOXIDResolver", "SimplePing", "out", &dcom.StatusResponse{Status: 5}, nil, true, []string{"WERR_ACCESS_DENIED"}},
	{"IOXIDResolver", "ComplexPing", "in", &dcom.ComplexPingRequest{SetID: 0x1122334455, Sequence: 2}, nil, true, []string{"0x0000001122334455", "0x0002 (2)"}},
	{"IOXIDResolver", "ComplexPing", "out", &dcom.ComplexPingResponse{SetID: 0x1122334455, Backoff: 9, Status: 5}, nil, true, []string{"0x0000001122334455", "0x0009 (9)", "WERR_ACCESS_DENIED"}},
	{"IOXIDResolver", "ServerAlive", "out", &dcom.StatusResponse{}, nil, true, []string{"WERR_OK"}},
	{"IRemoteActivation", "RemoteActivation", "in", &dcom.RemoteActivationRequest{This: dcom.ORPCThis{Version: dcom.Version, CID: iid}, CLSID: marked, Mode: 3, IIDs: []security.GUID{iid, marked}, Protseqs: []uint16{7}}, nil, false, []string{"44495049", "0x00000003 (3)"}},
	{"IRemoteActivation", "RemoteActivation", "out", &dcom.RemoteActivationResponse{Exporter: exporterInfo, Interfaces: []dcom.InterfaceResult{{Result: 5}}}, &dcom.RemoteActivationRequest{This: dcom.ORPCThis{Version: dcom.Version}, IIDs: []security.GUID{iid}, Protseqs: []uint16{7}}, false, []string{"44495049", "h[9]"}},
	{"IRemUnknown", "RemAddRef", "in", &orpc{&dcom.ORPCThis{Version: dcom.Version}, &dcom.InterfaceRefsRequest{Refs: []dcom.InterfaceRef{{IPID: marked, Public: 2, Private: 3}}}}, nil, true, []string{"44495049", "0x00000002 (2)", "0x00000003 (3)"}},
	{"IRemUnknown", "RemRelease", "in", &orpc{&dcom.ORPCThis{Version: dcom.Version}, &dcom.InterfaceRefsRequest{Refs: []dcom.InterfaceRef{{IPID: marked, Public: 5}, {}}}}, nil, true, []string{"44495049", "0x00000005 (5)"}},
	{"IRemUnknown", "RemRelease", "out", &orpc{new(dcom.ORPCThat), &dcom.ResultResponse{Result: 5}}, nil, true, []string{"WERR_ACCESS_DENIED"}},
}

var (
	// marked shows as 44495049-... in what ndrdump prints.
	marked       = security.GUID{0x49, 0x50, 0x49, 0x44, 15: 1}
	exporterInfo = dcom.ExporterInfo{OXID: 7, Bindings: bindings, RemUnknown: marked, AuthnHint: 5, Version: dcom.Version}
)

func TestNdrdumpAgrees(t *testing.T) {
	tool, err := exec.LookPath("ndrdump")
	if err != nil {
		if os.Getenv("CASEMENT_CI") == "1" {
			t.Fatal("ndrdump is missing (Debian: samba-testsuite); on the build machine it must be there")
		}
		t.Skip("ndrdump is missing (Debian: samba-testsuite)")
	}
	for _, c := range dumped {
		t.Run(c.iface+"/"+c.function+"/"+c.direction, func(t *testing.T) {
			var args []string
			if c.validated {
				args = append(args, "--validate")
			}
			if c.request != nil {
				args = append(args, "-c", stubFile(t, c.request))
			}
			out, err := exec.CommandContext(t.Context(), tool, append(args, c.iface, c.function, c.direction, stubFile(t, c.m))...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "dump OK") || strings.Contains(string(out), "unread") || strings.Contains(string(out), "WARNING") {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, s := range c.says {
				if !strings.Contains(string(out), s) {
					t.Errorf("%q is not in\n%s", s, out)
				}
			}
		})
	}
}

// stubFile writes a stub to a file.
func stubFile(t *testing.T, m message) string {
	e := ndr.NewEncoder(nil, ndr.Format{})
	m.MarshalNDR(e)
	name := filepath.Join(t.TempDir(), "stub")
	if err := os.WriteFile(name, e.Stub(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
