package iwbem_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// ndrdump of Samba reads each stub that it describes as [MS-WMI] does. It has another form than Windows sends (TestRecordedExecMethod) for BSTRs, for interface
// pointers that its description does not call [unique] and in NDR64 for all of them. Where "validated" is true it writes the stub back too; it cannot do
// that in NDR64, nor with the bindings of an OBJREF. 44495049 is in the IPID of ref.
var dumped = []struct {
	iface, function string
	direction       string
	m               message
	request         message // where the answer cannot be read without it
	wide, validated bool
	says            []string
}{
	{"IWbemLevel1Login", "EstablishPosition", "in", &iwbem.EstablishPositionRequest{Reserved1: text("x"), Reserved2: 2}, nil, true, true, []string{"'x'"}},
	{"IWbemLevel1Login", "EstablishPosition", "in", &iwbem.EstablishPositionRequest{Reserved1: iwbem.String{Null: true}}, nil, true, true, []string{": NULL"}},
	{"IWbemLevel1Login", "EstablishPosition", "out", &iwbem.EstablishPositionResponse{LocaleVersion: 1, Result: 0x80004001}, nil, true, true, nil},
	{"IWbemLevel1Login", "RequestChallenge", "in", &iwbem.RequestChallengeRequest{Reserved1: text("a"), Reserved2: text("bc")}, nil, true, true, []string{"'a'", "'bc'"}},
	{"IWbemLevel1Login", "RequestChallenge", "out", &iwbem.RequestChallengeResponse{Reserved3: [16]byte{15: 2}}, nil, true, true, []string{"0x02 (2)"}},
	{"IWbemLevel1Login", "WBEMLogin", "out", &iwbem.WBEMLoginResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemLevel1Login", "NTLMLogin", "in", &iwbem.NTLMLoginRequest{NetworkResource: text("//./root/cimv2"), PreferredLocale: text("en-US"), Flags: 1, Context: context}, nil, false, true, []string{"'//./root/cimv2'", "'en-US'"}},
	{"IWbemLevel1Login", "NTLMLogin", "in", &iwbem.NTLMLoginRequest{NetworkResource: text("//./root/cimv2"), PreferredLocale: iwbem.String{Null: true}}, nil, true, true, []string{"'//./root/cimv2'"}},
	{"IWbemLevel1Login", "NTLMLogin", "out", &iwbem.NTLMLoginResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemLevel1Login", "NTLMLogin", "out", &iwbem.NTLMLoginResponse{Result: 5}, nil, true, true, []string{"WERR_ACCESS_DENIED"}},
	{"IWbemServices", "OpenNamespace", "out", &iwbem.OpenNamespaceResponse{Services: iwbem.RefSlot{Given: true, Ref: ref}, CallResult: iwbem.RefSlot{Given: true}}, nil, false, false, []string{"44495049"}},
	{"IWbemServices", "CancelAsyncCall", "out", &iwbem.CancelAsyncCallResponse{Result: 5}, nil, true, true, []string{"WERR_ACCESS_DENIED"}},
	{"IWbemServices", "QueryObjectSink", "in", &iwbem.QueryObjectSinkRequest{Flags: 7}, nil, true, true, []string{"7"}},
	{"IWbemServices", "QueryObjectSink", "out", &iwbem.QueryObjectSinkResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemServices", "GetObject", "out", &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true, Object: object}, Result: 5}, nil, false, true, []string{"WERR_ACCESS_DENIED"}},
	{"IWbemServices", "GetObject", "out", &iwbem.GetObjectResponse{Object: iwbem.ObjectSlot{Given: true}, CallResult: iwbem.RefSlot{Given: true, Ref: ref}}, nil, false, false, []string{"44495049"}},
	{"IWbemServices", "GetObject", "out", &iwbem.GetObjectResponse{}, nil, true, true, nil},
	{"IWbemServices", "PutInstance", "out", &iwbem.PutInstanceResponse{CallResult: iwbem.RefSlot{Given: true}, Result: 5}, nil, true, true, []string{"WERR_ACCESS_DENIED"}},
	{"IWbemServices", "DeleteClass", "out", &iwbem.DeleteClassResponse{CallResult: iwbem.RefSlot{Given: true, Ref: ref}, Result: 5}, nil, false, false, []string{"44495049", "WERR_ACCESS_DENIED"}},
	{"IWbemServices", "ExecQuery", "out", &iwbem.ExecQueryResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemServices", "ExecMethod", "out", &iwbem.ExecMethodResponse{Object: iwbem.ObjectSlot{Given: true, Object: object}, CallResult: iwbem.RefSlot{Given: true}}, nil, false, true, nil},
	{"IEnumWbemClassObject", "Reset", "in", &iwbem.ResetRequest{}, nil, true, true, nil},
	{"IEnumWbemClassObject", "Reset", "out", &iwbem.ResetResponse{Result: 5}, nil, true, true, []string{"WERR_ACCESS_DENIED"}},
	{"IEnumWbemClassObject", "IEnumWbemClassObject_Next", "in", &iwbem.NextRequest{Timeout: iwbem.Forever, Count: 4}, nil, true, true, []string{"0x00000004 (4)"}},
	{
		"IEnumWbemClassObject", "IEnumWbemClassObject_Next", "out", &iwbem.NextResponse{Size: 4, Objects: []iwbem.ClassObject{object, object[:8]}, Result: 1},
		&iwbem.NextRequest{Count: 4}, false, true, []string{"0x00000002 (2)"},
	},
	{"IEnumWbemClassObject", "IEnumWbemClassObject_Clone", "out", &iwbem.CloneResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IEnumWbemClassObject", "Skip", "in", &iwbem.SkipRequest{Timeout: 5, Count: 6}, nil, true, true, []string{"0x00000006 (6)"}},
	{"IWbemFetchSmartEnum", "Fetch", "out", &iwbem.GetSmartEnumResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemWCOSmartEnum", "IWbemWCOSmartEnum_Next", "out", &iwbem.SmartNextResponse{Returned: 2, Buffer: []byte("WBEM"), Result: 5}, nil, true, true, []string{"0x00000002 (2)", "0x57 (87)", "WERR_ACCESS_DENIED"}},
	{"IWbemCallResult", "GetResultObject", "in", &iwbem.GetResultObjectRequest{Timeout: 8}, nil, true, true, []string{"8"}},
	{"IWbemCallResult", "GetResultObject", "out", &iwbem.GetResultObjectResponse{Object: object, Result: 5}, nil, false, true, []string{"WERR_ACCESS_DENIED"}},
	{"IWbemCallResult", "GetResultServices", "out", &iwbem.GetResultServicesResponse{Ref: ref}, nil, false, false, []string{"44495049"}},
	{"IWbemCallResult", "GetCallStatus", "out", &iwbem.GetCallStatusResponse{Status: 77, Result: 5}, nil, true, true, []string{"77", "WERR_ACCESS_DENIED"}},
	{"IWbemObjectSink", "Indicate", "in", &iwbem.IndicateRequest{Objects: []iwbem.ClassObject{object, object[:8]}}, nil, false, true, nil},
	{"IWbemObjectSink", "Indicate", "out", &iwbem.IndicateResponse{Result: 5}, nil, true, true, []string{"WERR_ACCESS_DENIED"}},
}

func TestNdrdumpAgrees(t *testing.T) {
	tool, err := exec.LookPath("ndrdump")
	if err != nil {
		if os.Getenv("CASEMENT_CI") == "1" {
			t.Fatal("ndrdump is missing (Debian: samba-testsuite); on the build machine it must be there")
		}
		t.Skip("ndrdump is missing (Debian: samba-testsuite)")
	}
	for _, c := range dumped {
		for _, f := range formats {
			if f.format.Wide && !c.wide {
				continue
			}
			t.Run(c.iface+"/"+c.function+"/"+c.direction+"/"+f.name, func(t *testing.T) {
				var args []string
				if c.validated && !f.format.Wide {
					args = append(args, "--validate")
				}
				if f.format.Wide {
					args = append(args, "--ndr64")
				}
				if c.request != nil {
					args = append(args, "-c", stubFile(t, "in", c.request, f.format))
				}
				out, err := exec.CommandContext(t.Context(), tool, append(args, c.iface, c.function, c.direction, stubFile(t, c.direction, c.m, f.format))...).CombinedOutput()
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
}

// stubFile writes a whole stub, with ORPCTHIS or ORPCTHAT ([MS-DCOM] 2.2.13), to a file.
func stubFile(t *testing.T, direction string, m message, f ndr.Format) string {
	e := ndr.NewEncoder(nil, f)
	if direction == "in" {
		e.Uint16(5)
		e.Uint16(7)
		e.Uint32(0)
		e.Uint32(0)
		e.GUID(some)
	} else {
		e.Uint32(0)
	}
	e.Pointer(false)
	m.MarshalNDR(e)
	name := filepath.Join(t.TempDir(), "stub")
	if err := os.WriteFile(name, e.Stub(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
