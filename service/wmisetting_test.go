package service

import (
	"slices"
	"testing"

	"github.com/casementhq/casement/registry"
)

func TestWMISettingOfTheService(t *testing.T) {
	state, err := OpenState(t.TempDir(), StateOptions{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if s := wmiSetting(state); s.DatabaseDirectory != state.Dir || s.InstallationDirectory == "" || s.AutorecoverMOFs != nil {
		t.Errorf("%+v", s)
	}
	if err := state.Hive.Update(func(tx *registry.Tx) error {
		return tx.Set(autorecoverKey, autorecoverName, registry.MultiSZ("/b.mof", "/a.mof"))
	}); err != nil {
		t.Fatal(err)
	}
	if s := wmiSetting(state); !slices.Equal(s.AutorecoverMOFs, []string{"/b.mof", "/a.mof"}) {
		t.Errorf("%+v", s)
	}
}
