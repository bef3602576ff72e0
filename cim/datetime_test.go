package cim_test

import (
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// See spec/wmi.md T-82, T-83 and T-84.
func TestDateTimeStatements(t *testing.T) {
	if cim.Time("19980401135809.000000+***").Equal(cim.Time("19980401135809.000000+000")) {
		t.Error("T-82: a time without a zone equals one in UTC")
	}
	if _, err := cim.ParseDateTime("199*0416******.000000+***"); err == nil {
		t.Error("T-83: an asterisk in a part of a field is taken")
	}
	if _, err := cim.ParseDateTime("19980416******.000000+***"); err != nil {
		t.Errorf("whole fields of asterisks: %v", err)
	}
	d, err := cim.ParseDateTime("00000001120032.000000:000")
	length, ok := d.Duration()
	if want := 24*time.Hour + 12*time.Hour + 32*time.Second; err != nil || !ok || length != want {
		t.Errorf("T-84: %v, %v; want %v", length, err, want)
	}
}
