package wmiserver

import (
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
)

// The log of a callback that its client refused advises who can change that: the
// client, for nobody logs in with a password here.
func TestRefusedCallback(t *testing.T) {
	cause := &dcom.Error{HRESULT: dcom.E_ACCESSDENIED, Op: "resolution"}
	for _, row := range []struct {
		manner    manner
		err       error
		want, not string
	}{
		{manner{false, cim.ProtectionNone}, cause, "(access denied): the client refused the call: E_ACCESSDENIED (0x80070005); it must permit ANONYMOUS LOGON", "password"},
		{manner{true, cim.ProtectionPktPrivacy}, cause, "it must permit this machine's account", "password"},
		{manner{false, cim.ProtectionNone}, &dcom.Error{HRESULT: dcom.FromWin32(dcom.RPC_S_SERVER_UNAVAILABLE)}, "(" + stageDial + ")", "ANONYMOUS"},
	} {
		err := row.manner.failure(row.err, stageDial, stageCall)
		if !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), row.not) || !errors.Is(err, row.err) {
			t.Errorf("%+v: %v", row.manner, err)
		}
	}
}
