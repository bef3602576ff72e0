package ipmi

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAddLocal(t *testing.T) {
	root, s := t.TempDir(), OpenStore(t.TempDir())
	added := func() bool {
		all, err := s.Devices()
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 1 && all[0] == Device{Name: LocalName}
	}
	refused := func(context.Context, []string) error { return errors.New("no such device") }
	said, err := AddLocal(t.Context(), s, root, refused)
	if !errors.Is(err, ErrNoBMC) || !strings.Contains(strings.Join(said, " "), "ipmi_si and ipmi_devintf were not loaded: no such device") || added() {
		t.Errorf("a machine without a BMC: %q, %v", said, err)
	}
	write(t, root, "sys/firmware/acpi/tables/SPMI", spmi(4))
	said, err = AddLocal(t.Context(), s, root, nil)
	if !errors.Is(err, ErrNoBMC) || !strings.Contains(strings.Join(said, " "), "As root: modprobe -a ipmi_ssif ipmi_devintf") || added() {
		t.Errorf("not as root: %q, %v", said, err)
	}
	said, err = AddLocal(t.Context(), s, root, func(_ context.Context, modules []string) error {
		if strings.Join(modules, " ") != "ipmi_ssif ipmi_devintf" {
			t.Errorf("modules %q", modules)
		}
		write(t, root, "dev/ipmi0", nil)
		return nil
	})
	if err != nil || !added() {
		t.Fatalf("%q, %v", said, err)
	}
	equal(t, "what was done", said, "Found: SPMI table of ACPI (SSIF).", "The modules ipmi_ssif and ipmi_devintf were loaded.", "The BMC of this machine, /dev/ipmi0, was added.")
	// With a driver nothing is loaded.
	said, err = AddLocal(t.Context(), s, root, refused)
	if err != nil || len(said) != 2 || !added() {
		t.Errorf("again: %q, %v", said, err)
	}
}
