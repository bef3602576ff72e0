package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/internal/ipmisim"
)

// ipmiRow is a line of casement ipmi status.
type ipmiRow struct{ Name, Address, State, Detail, Found, Driver string }

func ipmiRows(t *testing.T) map[string]ipmiRow {
	t.Helper()
	r := cli(t, "", "casement", "ipmi", "status", "-o", "json").want(t, 0)
	var rows []ipmiRow
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	out := map[string]ipmiRow{}
	for _, row := range rows {
		out[row.Name] = row
	}
	return out
}

const readings = `SELECT Name, CurrentReading, UnitModifier FROM NumericSensor WHERE Name = "12V"`

func TestIPMILife(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	dir := state(t)
	port := fmt.Sprint(sim.Port)
	query := func() string {
		t.Helper()
		return cli(t, "", "casement", "query", ".", readings, "-n", `root\hardware`, "-o", "json").want(t, 0).out
	}
	if out := query(); strings.Contains(out, "12V") {
		t.Errorf("a sensor without a BMC: %s", out)
	}
	cli(t, ipmisim.Password+"\n", "casement", "ipmi", "add", sim.Host, "--name", "bmc1", "--port", port, "-u", ipmisim.User, "--password-stdin").
		want(t, 0, "bmc1 at 127.0.0.1:"+port+" was added", "It answers: IPMI 2.0, firmware 9.08, manufacturer 4753, product 3842")
	if row := ipmiRows(t)["bmc1"]; row.State != "answers" || row.Address != "127.0.0.1:"+port {
		t.Errorf("status: %+v", row)
	}
	var rows []struct {
		Name                         string
		CurrentReading, UnitModifier int
	}
	if err := json.Unmarshal([]byte(query()), &rows); err != nil || len(rows) != 1 || rows[0].CurrentReading != 1220 || rows[0].UnitModifier != -2 {
		t.Errorf("the reading: %v %+v", err, rows)
	}
	// A DMTF URI leads to root\hardware, and the class of CIM to the one derived from it.
	cli(t, "", "winrm", "enumerate", "cimv2/CIM_NumericSensor").want(t, 0, "NumericSensor", "CurrentReading = 1220", "UnitModifier = -2", "DeviceID = 2.0.32")
	cli(t, "", "winrm", "get", "cimv2/NumericSensor?SystemCreationClassName=ComputerSystem+SystemName=bmc1+CreationClassName=NumericSensor+DeviceID=3.0.32").want(t, 0, "CurrentReading = -50")
	cli(t, "", "casement", "query", ".", "SELECT * FROM Microsoft_IPMI", "-n", `root\wmi`).want(t, 0, "bmc1")
	cli(t, "", "casement", "ipmi", "disable", "bmc1").want(t, 0, "disabled")
	if row := ipmiRows(t)["bmc1"]; row.State != "disabled" {
		t.Errorf("status: %+v", row)
	}
	if out := query(); strings.Contains(out, "12V") {
		t.Errorf("a sensor of a disabled BMC: %s", out)
	}
	cli(t, "", "casement", "ipmi", "enable", "bmc1").want(t, 0, "enabled")
	cli(t, "wrong\n", "casement", "ipmi", "add", sim.Host, "--name", "bmc1", "--port", port, "-u", ipmisim.User, "--password-stdin").want(t, 0, "refuses the user or the password")
	cli(t, "", "casement", "ipmi", "remove", "bmc1").want(t, 0, "removed")
	cli(t, "", "casement", "ipmi", "remove", "bmc1").want(t, 1, "casement ipmi status")
	if _, there := ipmiRows(t)["bmc1"]; there {
		t.Error("a removed BMC is shown")
	}
	if out := query(); strings.Contains(out, "12V") {
		t.Errorf("a sensor of a removed BMC: %s", out)
	}
	info, err := os.Stat(filepath.Join(dir, "ipmi.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("ipmi.json: %v, %v", info, err)
	}
}

// Rundll32 ipmisetp.dll, AddTheDevice (checklist 2.114).
func TestRundll32(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	state(t)
	add := []string{sim.Host, "--name", "bmc1", "--port", fmt.Sprint(sim.Port), "--user", ipmisim.User, "--password-stdin"}
	cli(t, ipmisim.Password+"\n", append([]string{"Rundll32", "ipmisetp.dll,", "AddTheDevice"}, add...)...).want(t, 0, "bmc1", "It answers")
	cli(t, "", "casement", "query", ".", readings, "-n", `root\hardware`).want(t, 0, "1220")
	for _, line := range [][]string{{"ipmisetp.dll,AddTheDevice"}, {"IPMISETP.DLL", ",", "AddTheDevice"}} {
		cli(t, "x\n", append(append([]string{`C:\Windows\System32\rundll32.exe`}, line...), add...)...).want(t, 0, "was added")
	}
	for _, line := range [][]string{{"shell32.dll,Control_RunDLL"}, {"ipmisetp.dll,", "RemoveTheDevice"}, {"ipmisetp.dll"}, {"other\\ipmisetp.dll,AddTheDevice"}} {
		cli(t, "", append([]string{"rundll32"}, line...)...).want(t, 2, "nothing was done")
	}
	cli(t, "", "casement", "rundll32", "/?").want(t, 0, "AddTheDevice")
}

func TestIPMICommandLine(t *testing.T) {
	state(t)
	cli(t, "", "casement", "ipmi", "add", "--user", "u").want(t, 2, "HOST")
	cli(t, "", "casement", "ipmi", "add", "192.0.2.1").want(t, 2, "--user")
	cli(t, "", "casement", "ipmi", "add", "192.0.2.1", "-u", "u").want(t, 2, "--password-stdin")
	cli(t, "p\n", "casement", "ipmi", "add", "a/b", "-u", "u", "--password-stdin").want(t, 1, "cannot be used")
	cli(t, strings.Repeat("p", 21)+"\n", "casement", "ipmi", "add", "192.0.2.1", "-u", "u", "--password-stdin").want(t, 1, "20 bytes")
	cli(t, "p\n", "casement", "ipmi", "add", "192.0.2.1", "-u", "u", "--privilege", "root", "--password-stdin").want(t, 1, "user, operator, administrator")
	cli(t, "", "casement", "ipmi", "frobnicate").want(t, 2, "no subcommand")
	if row := ipmiRows(t)["local"]; row.Found == "" || row.State == "answers" {
		t.Errorf("status of this machine: %+v", row)
	}
}
