package console

import (
	"slices"
	"testing"
	"time"

	"github.com/casementhq/casement/pool"
)

// The filter of spec/console.md 3.2: which of the servers a text keeps.
func TestFilter(t *testing.T) {
	now := time.Now()
	cpu, free := 91.0, uint64(1<<30)
	web := with(entry("web03", "web", "tokyo"), pool.Online, "disk C: 4 % free")
	web.Snapshot.Level = pool.LevelAttention
	web.Snapshot.Facts = &pool.Facts{OS: "Microsoft Windows Server 2022 Standard", Domain: "corp.example", Memory: 4 << 30}
	web.Snapshot.Counters = &pool.CounterTile{CPU: &cpu, Available: &free}
	web.Snapshot.Disks = []pool.Disk{{Name: "D:", Size: 100, Free: 60}, {Name: "C:", Size: 100, Free: 4}}
	web.Snapshot.Alerts = []pool.Alert{{Resource: "Disk C:", Value: "4 % free"}}
	web.Snapshot.Roles = []pool.Role{{Name: "Web-Server", DisplayName: "Web Server (IIS)", Type: "Role"}}
	denied := with(entry("srv07", "tokyo"), pool.AccessDenied, "local account, rights filtered")
	denied.Snapshot.Contact = now.Add(-2 * time.Hour)
	denied.Snapshot.Transport = pool.DCOM
	list := []Entry{web, denied, entry("new01")}
	for q, want := range map[string][]string{
		"":                        {"web03", "srv07", "new01"},
		"state:blocked,attention": {"web03", "srv07"},
		"state:ok":                nil,
		"state:none":              {"new01"},
		`state:"access denied"`:   {"srv07"},
		"-state:blocked":          {"web03", "new01"},
		"tag:tokyo -tag:web":      {"srv07"},
		"group:web":               {"web03"},
		`role:"web server (iis)"`: {"web03"},
		"role:web-server":         {"web03"},
		"os:2022":                 {"web03"},
		"cpu:>85":                 {"web03"},
		"cpu:<85":                 nil,
		"memory:75":               {"web03"},
		"disk:>95":                {"web03"},
		"last:>1h":                {"srv07", "new01"},
		"last:<1h":                {"web03"},
		"transport:dcom":          {"srv07"},
		"domain:corp.example":     {"web03"},
		"name:srv07,NEW01":        {"srv07", "new01"},
		"alert:cpu,disk":          {"web03"},
		"rights filtered":         {"srv07"},
		`"4 % free"`:              {"web03"},
		"-rights state:blocked":   nil,
		"TOKYO":                   {"web03", "srv07"},
	} {
		keep, err := parseFilter(q)
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		var got []string
		for _, e := range list {
			if keep(e, now) {
				got = append(got, e.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q keeps %v, want %v", q, got, want)
		}
	}
	for _, q := range []string{"colour:red", "cpu:>much", "state:", "last:5w", "cpu:>"} {
		if _, err := parseFilter(q); err == nil {
			t.Errorf("%q is taken", q)
		}
	}
}
