package pool

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

func TestFilter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	cpu, free := 91.0, uint64(1<<30)
	list := []Entry{
		{Server{Name: "web01.corp.example", Tags: []string{"tokyo", "web"}}, &Snapshot{State: Online, Level: LevelAttention, Contact: now.Add(-30 * time.Second), Transport: WinRM, Account: `CORP\svc`,
			Reason: "disk C: 4 % free", Facts: &Facts{OS: "Microsoft Windows Server 2019 Standard", Version: "10.0.17763", Domain: "corp.example", Memory: 8 << 30, Booted: now.Add(-41 * 24 * time.Hour), Addresses: []string{"10.0.4.14"}},
			Counters: &CounterTile{CPU: &cpu, Available: &free}, Disks: []Disk{{Name: "C:", Size: 100, Free: 4}, {Name: "D:", Size: 100, Free: 70}}, Roles: []Role{{Name: "Web-Server", DisplayName: "Web Server (IIS)"}}}},
		{Server{Name: "db01", Tags: []string{"tokyo"}, Transport: DCOM}, &Snapshot{State: AccessDenied, Level: LevelBlocked, Contact: now.Add(-3 * time.Hour), Missed: 2}},
		{Server{Name: "fe80::1", Credential: "ops"}, nil},
		{Server{Name: "ok1", Tags: []string{"osaka"}}, &Snapshot{State: Online, Level: LevelOK, Contact: now}},
	}
	for filter, want := range map[string]string{
		"": "web01.corp.example db01 fe80::1 ok1", "web": "web01.corp.example", "tag:tokyo": "web01.corp.example db01", "group:tokyo": "web01.corp.example db01",
		"tag:tok": "", "tag:web,osaka": "web01.corp.example ok1", "-tag:tokyo": "fe80::1 ok1", "state:blocked,attention": "web01.corp.example db01",
		"state:ok": "ok1", `state:"access denied"`: "db01", "state:online": "web01.corp.example db01 ok1", "-state:ok": "web01.corp.example db01 fe80::1", "state:none": "fe80::1",
		"cpu:>85": "web01.corp.example", "cpu:<85": "", "cpu:91": "web01.corp.example", "memory:>80%": "web01.corp.example", "disk:>95": "web01.corp.example", "disk:96": "web01.corp.example",
		"last:>1h": "db01 fe80::1", "last:<1m": "web01.corp.example ok1", "last:>2.5h -state:none": "db01", "uptime:>40d": "web01.corp.example",
		"os:2019": "web01.corp.example", "os:10.0.17763": "web01.corp.example", "role:iis": "web01.corp.example", "role:web-server": "web01.corp.example",
		"transport:dcom": "db01", "transport:winrm": "web01.corp.example", `as:corp\svc`: "web01.corp.example", "domain:CORP": "web01.corp.example", "name:01 tag:tokyo": "web01.corp.example db01",
		"fe80::1": "fe80::1", "credential:OPS": "fe80::1", `"disk c:"`: "web01.corp.example", "ip:10.0.4": "web01.corp.example", "missed:>1": "db01", "-web -db01": "fe80::1 ok1",
		"reason:free": "web01.corp.example", "svc": "web01.corp.example",
	} {
		f, err := ParseFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := strings.Join(names(f.Pick(list, now)), " "); got != want {
			t.Errorf("%s picks %q, want %q", filter, got, want)
		}
	}
	for _, filter := range []string{"colour:red", "cpu:x", "cpu:>", "last:>soon", `"open`, "tag:", "tag:a,", strings.Repeat("a", 5000)} {
		if _, err := ParseFilter(filter); !errors.Is(err, cim.ErrInvalidParameter) {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{`a "b c" -tag:x,y cpu:>85 last:<1d`, `-"-:":,`, "::", "cpu:"} {
		f.Add(s)
	}
	e := Entry{Server{Name: "a"}, &Snapshot{}}
	f.Fuzz(func(t *testing.T, s string) {
		if filter, err := ParseFilter(s); err == nil {
			filter.Match(e, time.Unix(0, 0))
			filter.Match(Entry{}, time.Unix(0, 0))
		}
	})
}
