package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
)

// An error names its host once, and says once what may be missing: of the namespace where WMI refused, of DCOM where that did.
func TestExplain(t *testing.T) {
	denied := &cim.Error{Status: cim.ErrAccessDenied}
	below := &cim.Error{Status: cim.ErrAccessDenied, Err: &dcom.Error{HRESULT: dcom.E_ACCESSDENIED}}
	for _, row := range []struct {
		host      string
		err       error
		want, not string
	}{
		{"dcom://web1", denied, "'casement wmi sd'", "the log of"},
		{"dcom://web1", below, "the log of a host", "casement wmi sd"},
		{".", denied, ".: ", "over the network"},
		{"winmgmts:x", errors.New("winmgmts:x: bad"), "winmgmts:x: bad", "winmgmts:x: winmgmts:x"},
		{"web1", errors.New("bad"), "web1: bad", "web1: web1"},
	} {
		got := explain(t.Context(), row.host, row.err)
		if !errors.Is(got, row.err) || !strings.HasPrefix(got.Error(), row.host+": ") || !strings.Contains(got.Error(), row.want) || strings.Contains(got.Error(), row.not) {
			t.Errorf("%s, %v: %v", row.host, row.err, got)
		}
	}
}
