package settings

import (
	"testing"

	"github.com/casementhq/casement/registry"
)

// Checklist 2.90 and 2.91: also port 80, also port 443.
func TestCompatibilityListeners(t *testing.T) {
	w := load(t, registry.NewTree(), Current)
	if list, err := CompatibilityListeners(w, testHost()); len(list) != 0 || err != nil {
		t.Errorf("by default %+v, %v", list, err)
	}
	w.Service.EnableCompatibilityHTTPListener, w.Service.EnableCompatibilityHTTPSListener = true, true
	list, err := CompatibilityListeners(w, testHost())
	if err != nil || len(list) != 2 || list[0].Port != 80 || list[1].Port != 443 || list[1].CertificateThumbprint != thumbWeb {
		t.Errorf("%+v, %v", list, err)
	}
	list, err = CompatibilityListeners(w, Host{Name: "x"})
	wantCode(t, "without certificate", err, CodeCertNotFound)
	if len(list) != 1 {
		t.Errorf("%+v", list)
	}
}
