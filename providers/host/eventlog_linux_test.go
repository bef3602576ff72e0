package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
	"github.com/casementhq/casement/security"
)

func auditor() cim.Caller {
	return cim.Caller{Token: &security.Token{Groups: []security.GroupEntry{{SID: security.SIDAdministrators}}, Privileges: []security.Privilege{security.SeSecurity}}}
}

func asAuditor() query { return query{caller: auditor()} }

// recorded are entries as journalctl 252 prints them, the newest first; the last but one is no UTF-8, and the last has
// a field twice.
const recorded = `{"__CURSOR":"s=aaaa;i=1f;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772600000500000","_SOURCE_REALTIME_TIMESTAMP":"1772600000400000","PRIORITY":"3","SYSLOG_FACILITY":"3","SYSLOG_IDENTIFIER":"nginx","_COMM":"nginx","_UID":"0","_HOSTNAME":"fox","_TRANSPORT":"syslog","MESSAGE":"it broke"}
{"__CURSOR":"s=aaaa;i=1e;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772600000000000","PRIORITY":"4","SYSLOG_FACILITY":"1","_COMM":"app","_UID":"1000","_HOSTNAME":"fox","_TRANSPORT":"journal","MESSAGE":"careful","MESSAGE_ID":"fc2e22bc6ee647b6b90729ab34a250b1"}
{"__CURSOR":"s=aaaa;i=1d;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772599999000000","PRIORITY":"6","SYSLOG_FACILITY":"10","SYSLOG_IDENTIFIER":"sshd","_HOSTNAME":"fox","_TRANSPORT":"syslog","MESSAGE":"session opened"}
{"__CURSOR":"s=aaaa;i=1c;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772599998000000","SYSLOG_FACILITY":"4","SYSLOG_IDENTIFIER":"audit","_HOSTNAME":"fox","_TRANSPORT":"audit","_AUDIT_TYPE":"1112","MESSAGE":"USER_LOGIN pid=1 acct=root res=failed"}
{"__CURSOR":"s=aaaa;i=1b;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772599997000000","PRIORITY":"5","SYSLOG_FACILITY":"0","_TRANSPORT":"kernel","_HOSTNAME":"fox","MESSAGE":[104,255,105]}
{"__CURSOR":"s=aaaa;i=1a;b=b;m=1;t=1;x=1","__REALTIME_TIMESTAMP":"1772599996000000","PRIORITY":"7","_TRANSPORT":"stdout","_HOSTNAME":"fox","MESSAGE":["one","two"]}
not json
{"__CURSOR":"none"}
`

// fakeJournal is a machine with a journal, and a program that notes its arguments and prints what it is told to.
func fakeJournal(t *testing.T, script string, more map[string]string) (p *Provider, asked func() string) {
	t.Helper()
	files := map[string]string{"var/log/journal/abc/system.journal": "0123456789", "run/args": "", "entries": recorded, "proc/sys/kernel/hostname": "fox\n",
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"}
	for k, v := range more {
		files[k] = v
	}
	dir := root(t, files)
	program := filepath.Join(dir, "journalctl")
	head := "#!/bin/sh\ncd " + dir + "\necho \"$@\" >>run/args\necho $$ >run/pid\n"
	if err := os.WriteFile(program, []byte(head+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return New(Options{Root: dir, Journalctl: program}), func() string {
		b, err := os.ReadFile(filepath.Join(dir, "run/args"))
		if err != nil {
			t.Fatal(err)
		}
		_ = os.WriteFile(filepath.Join(dir, "run/args"), nil, 0o600)
		return strings.ReplaceAll(string(b), "--no-pager --quiet --output=json --all --output-fields="+strings.Join(journalFields, ","), "ENTRIES")
	}
}

// The types, logs and texts follow spec/wmi.md 8.2, row 28.
func TestEventsOfARecordedJournal(t *testing.T) {
	p, _ := fakeJournal(t, "cat entries", nil)
	got := map[string]*cim.Instance{}
	for _, i := range all(t, p, "Win32_NTLogEvent", asAuditor()) {
		got[i.Get("RecordNumber").String()] = i
	}
	if len(got) != 6 {
		t.Fatalf("events %v", got)
	}
	expect(t, got["31"], map[string]string{"Logfile": "System", "SourceName": "nginx", "EventType": "1", "Type": "Error", "Message": "it broke", "InsertionStrings": "{it broke}",
		"TimeWritten": "20260304045320.500000+000", "TimeGenerated": "20260304045320.400000+000", "ComputerName": "fox", "User": `fox\root`,
		"EventIdentifier": "null", "EventCode": "null", "Category": "null", "Data": "null"})
	expect(t, got["30"], map[string]string{"Logfile": "Application", "SourceName": "app", "EventType": "2", "Type": "Warning", "User": `fox\alice`,
		"EventIdentifier": "4230881980", "EventCode": "8892", "TimeGenerated": "20260304045320.000000+000"}) // 0xfc2e22bc and 0x22bc
	expect(t, got["29"], map[string]string{"Logfile": "Security", "EventType": "3", "User": "null"})
	expect(t, got["28"], map[string]string{"Logfile": "Security", "EventType": "5", "Type": "Audit Failure", "EventIdentifier": "1112", "EventCode": "1112"})
	expect(t, got["27"], map[string]string{"Logfile": "System", "SourceName": "kernel", "Message": "h\uFFFDi", "EventType": "3"})
	expect(t, got["26"], map[string]string{"Logfile": "Application", "SourceName": "null", "Message": "one"})
	if n := len(all(t, p, "Win32_NTLogEvent", asAdministrator())); n != 4 {
		t.Errorf("%d events without the privilege for the log Security", n)
	}
}

func TestEventQueriesReachTheJournal(t *testing.T) {
	p, asked := fakeJournal(t, "case $* in *lines=1*PRIORITY*|*PRIORITY*lines=1*) head -n 1 entries;; *) cat entries;; esac", nil)
	at := func(name string) int { return classNamed("Win32_NTLogEvent").PropertyIndex(name) }
	moment := func(s string) cim.Value { return cim.Time(cim.DateTime(s)) }
	for _, c := range []struct {
		name   string
		fixed  map[string]cim.Value
		orders []wql.Order
		want   string
	}{
		{"all", nil, nil, "ENTRIES --reverse"},
		{"a log", map[string]cim.Value{"Logfile": cim.Str("system")}, nil,
			"ENTRIES --reverse SYSLOG_FACILITY=0 SYSLOG_FACILITY=3 SYSLOG_FACILITY=5 SYSLOG_FACILITY=9 SYSLOG_FACILITY=12 + _TRANSPORT=kernel"},
		{"errors", map[string]cim.Value{"Logfile": cim.Str("Security"), "EventType": cim.U8(1)}, nil,
			"ENTRIES --priority=0..3 --reverse SYSLOG_FACILITY=4 SYSLOG_FACILITY=10 SYSLOG_FACILITY=13 + _TRANSPORT=audit"},
		{"warnings", map[string]cim.Value{"Type": cim.Str("warning")}, nil, "ENTRIES --priority=4..4 --reverse"},
		{"audits", map[string]cim.Value{"EventType": cim.U8(4)}, nil, "ENTRIES --reverse _TRANSPORT=audit"},
		{"no such type", map[string]cim.Value{"EventType": cim.U8(9)}, nil, ""},
		{"no such log", map[string]cim.Value{"Logfile": cim.Str("Setup")}, nil, ""},
		{"times", nil, []wql.Order{{Property: at("TimeGenerated"), Op: wql.GreaterOrEqual, Value: moment("20260304045320.900000+000")},
			{Property: at("TimeWritten"), Op: wql.Less, Value: moment("20260304050000.000000+060")}}, "ENTRIES --since=@1772600000 --until=@1772596801 --reverse"},
		{"generated before", nil, []wql.Order{{Property: at("TimeGenerated"), Op: wql.Less, Value: moment("20260304045320.900000+000")}}, "ENTRIES --reverse"},
		{"one record", map[string]cim.Value{"RecordNumber": cim.U32(27)}, nil,
			"--no-pager --quiet --output=json --all --output-fields=PRIORITY --lines=1|ENTRIES --cursor=s=aaaa;i=1b --lines=1"},
		{"records after", nil, []wql.Order{{Property: at("RecordNumber"), Op: wql.Greater, Value: cim.U32(27)}},
			"--no-pager --quiet --output=json --all --output-fields=PRIORITY --lines=1|ENTRIES --cursor=s=aaaa;i=1c"},
		{"records to come", nil, []wql.Order{{Property: at("RecordNumber"), Op: wql.Greater, Value: cim.U32(31)}},
			"--no-pager --quiet --output=json --all --output-fields=PRIORITY --lines=1"},
	} {
		q := fixed(c.fixed)
		q.orders, q.caller = c.orders, auditor()
		all(t, p, "Win32_NTLogEvent", q)
		got := strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(asked(), " --root="+p.root, "")), "\n", "|")
		if got != c.want {
			t.Errorf("%s asks\n%s, want\n%s", c.name, got, c.want)
		}
	}
	q := fixed(map[string]cim.Value{"Logfile": cim.Str("Security")})
	q.caller = administrator()
	err := p.list(context.Background(), classNamed("Win32_NTLogEvent"), q, func(*cim.Instance) error { return nil })
	if !errors.Is(err, cim.ErrPrivilegeNotHeld) {
		t.Errorf("the log Security without the privilege: %v", err)
	}
}

// The child ends with the query, however it ends, and what it prints is never held as a whole.
func TestJournalctlEndsWithTheQuery(t *testing.T) {
	ended := func(p *Provider) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(p.root, "run/pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the child is still there: %v", err)
		}
	}
	endless := "while :; do cat entries; done"
	p, _ := fakeJournal(t, endless, nil)
	stop := errors.New("enough")
	n := 0
	err := p.list(context.Background(), classNamed("Win32_NTLogEvent"), asAuditor(), func(*cim.Instance) error {
		if n++; n > 1000 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("a consumer that has enough: %v", err)
	}
	ended(p)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	silent, _ := fakeJournal(t, "exec sleep 60", nil)
	if err := silent.list(ctx, classNamed("Win32_NTLogEvent"), asAuditor(), func(*cim.Instance) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a journal that says nothing: %v", err)
	}
	ended(silent)
	failing, _ := fakeJournal(t, "echo 'Failed to open' >&2; exit 1", nil)
	err = failing.list(context.Background(), classNamed("Win32_NTLogEvent"), asAuditor(), func(*cim.Instance) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "Failed to open") {
		t.Errorf("a journal that fails: %v", err)
	}
	long, _ := fakeJournal(t, "head -c 3000000 /dev/zero | tr '\\0' x; echo; head -n 1 entries", nil)
	if out := all(t, long, "Win32_NTLogEvent", asAuditor()); len(out) != 1 {
		t.Errorf("%d events behind a long line", len(out))
	}
	none := New(Options{Root: root(t, nil), Journalctl: p.o.Journalctl})
	if out := all(t, none, "Win32_NTLogEvent", asAuditor()); len(out) != 0 {
		t.Errorf("events of a machine without a journal: %v", out)
	}
	if out := all(t, none, "Win32_NTEventlogFile", asAuditor()); len(out) != 0 {
		t.Errorf("logs of a machine without a journal: %v", out)
	}
}

func TestEventLogFiles(t *testing.T) {
	p, asked := fakeJournal(t, "cat entries", map[string]string{"etc/systemd/journald.conf": "[Journal]\n#SystemMaxUse=1G\nSystemMaxUse=200M\n",
		"etc/systemd/journald.conf.d/x.conf": "[Journal]\nMaxRetentionSec=36h\n", "var/log/journal/abc/user-1000@x.journal~": "xyz"})
	got := all(t, p, "Win32_NTEventlogFile", query{})
	if texts(got, "LogfileName") != "Application Security System" {
		t.Fatalf("logs %v", got)
	}
	expect(t, got[1], map[string]string{"Name": "/var/log/journal/abc/Security", "Path": "/var/log/journal/abc/", "FileName": "Security", "NumberOfRecords": "2",
		"Sources": "{audit, sshd}", "FileSize": "13", "MaxFileSize": "209715200", "OverWritePolicy": "OutDated", "OverwriteOutDated": "2", "FileType": "Journal", "Status": "OK"})
	expect(t, got[0], map[string]string{"NumberOfRecords": "2", "Sources": "{app}"})
	asked()
	q := projected("Win32_NTEventlogFile", "LogfileName", "MaxFileSize")
	only(t, p, "Win32_NTEventlogFile", query{wants: q.wants, equal: named("/var/log/journal/abc/System").equal})
	if got := asked(); got != "" {
		t.Errorf("the journal was read for nothing: %s", got)
	}
}

func TestEventLogMethods(t *testing.T) {
	p, _ := fakeJournal(t, "cat entries", map[string]string{"out/there": "x"})
	p.o.Writer = func(cim.Caller) (FileWriter, error) { return OwnFiles{}, nil }
	do := func(caller cim.Caller, method, log, archive, want string) {
		t.Helper()
		c := &call{caller: caller, path: cim.ObjectPath{Class: "Win32_NTEventlogFile", Keys: []cim.Key{{Name: "Name", Value: cim.Str("/var/log/journal/abc/" + log)}}},
			in: cim.Arguments{{Name: "ArchiveFileName", Value: cim.Str(archive)}}}
		r, err := p.invoke(context.Background(), "Win32_NTEventlogFile", method, c)
		if err != nil || r.ReturnValue.String() != want {
			t.Errorf("%s %s %s: %v, %v; want %s", method, log, archive, r.ReturnValue, err, want)
		}
	}
	do(auditor(), "ClearEventLog", "System", "", "8")
	do(auditor(), "BackupEventLog", "System", "/out/there", "183")
	do(auditor(), "BackupEventLog", "System", "relative", "21")
	do(administrator(), "BackupEventLog", "Security", "/out/sec", "8")
	do(auditor(), "BackupEventLog", "System", "/out/none/x", "8")
	do(auditor(), "BackupEventLog", "System", "/out/sys", "0")
	b, err := os.ReadFile(filepath.Join(p.root, "out/sys"))
	all := strings.Split(recorded, "\n")
	if want := all[0] + "\n" + all[4] + "\n"; err != nil || string(b) != want {
		t.Errorf("the archive is %q, %v; want %q", b, err, want)
	}
	p.o.Writer = nil
	do(auditor(), "BackupEventLog", "System", "/out/sys2", "8")
}

// journaldScript runs journald in namespaces of its own, has some programs say something, and copies its files.
const journaldScript = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/systemd
mkdir -p /run/systemd/journal /run/log/journal
printf '[Journal]\nReadKMsg=no\nAudit=no\n' >/etc/systemd/journald.conf
/lib/systemd/systemd-journald & daemon=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
logger -u /run/systemd/journal/dev-log -p auth.notice -t sshd "Accepted password for alice"
logger -u /run/systemd/journal/dev-log -p daemon.err -t nginx "it broke"
logger -u /run/systemd/journal/dev-log -p user.warning -t app "careful"
printf 'MESSAGE=structured\nMESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1\nPRIORITY=2\nSYSLOG_IDENTIFIER=coredump\n' | logger --journald
logger -u /run/systemd/journal/dev-log -p daemon.info -t nginx "it works again"
journalctl --sync
mkdir -p "$0/var/log"
cp -r /run/log/journal "$0/var/log/"
kill $daemon
wait $daemon || true
`

// realJournal is a root with a journal that journald wrote.
func realJournal(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, program := range []string{"unshare", "logger", "journalctl", "/lib/systemd/systemd-journald"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := root(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "unshare", "-fpmu", "--mount-proc", "--kill-child", "sh", "-c", journaldScript, dir)
	c.WaitDelay = time.Second
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("journald does not run in namespaces here: %v: %s", err, out)
	}
	return dir
}

// The expected values come from journalctl(1) over files that journald(8) wrote.
func TestEventsAgainstJournalctl(t *testing.T) {
	dir := realJournal(t)
	p := New(Options{Root: dir})
	count := func(args ...string) int {
		t.Helper()
		return len(lines(output(t, "journalctl", append([]string{"--root=" + dir, "--quiet", "--no-pager", "--output=cat"}, args...)...)))
	}
	events := all(t, p, "Win32_NTLogEvent", asAuditor())
	if len(events) != count() || len(events) < 5 {
		t.Fatalf("%d events, journalctl has %d", len(events), count())
	}
	byText := map[string]*cim.Instance{}
	for n, i := range events {
		byText[i.Get("Message").String()] = i
		if n > 0 && mustUint(i, "RecordNumber") >= mustUint(events[n-1], "RecordNumber") {
			t.Errorf("record %v comes after %v", i.Get("RecordNumber"), events[n-1].Get("RecordNumber"))
		}
	}
	expect(t, byText["it broke"], map[string]string{"Logfile": "System", "EventType": "1", "SourceName": "nginx", "ComputerName": output(t, "uname", "-n")})
	expect(t, byText["careful"], map[string]string{"Logfile": "Application", "EventType": "2", "SourceName": "app"})
	expect(t, byText["Accepted password for alice"], map[string]string{"Logfile": "Security", "EventType": "3", "SourceName": "sshd"})
	expect(t, byText["structured"], map[string]string{"Logfile": "Application", "EventType": "1", "SourceName": "coredump", "EventIdentifier": "4230881980"})

	s := session(t, p)
	ctx := context.Background()
	record := func(text string) uint64 { return mustUint(byText[text], "RecordNumber") }
	for query, want := range map[string]string{
		"SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'System' AND SourceName = 'nginx'":                                            "it broke it works again",
		"SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'System' AND SourceName = 'nginx' AND EventType = 1":                          "it broke",
		fmt.Sprintf("SELECT * FROM Win32_NTLogEvent WHERE Logfile = 'System' AND RecordNumber = %d", record("it broke")):              "it broke",
		fmt.Sprintf("SELECT * FROM Win32_NTLogEvent WHERE RecordNumber = %d", record("careful")):                                      "careful",
		fmt.Sprintf("SELECT * FROM Win32_NTLogEvent WHERE RecordNumber = %d AND Logfile = 'System'", record("careful")):               "",
		fmt.Sprintf("SELECT * FROM Win32_NTLogEvent WHERE RecordNumber > %d AND SourceName = 'nginx'", record("it broke")):            "it works again",
		"SELECT * FROM Win32_NTLogEvent WHERE TimeWritten > '20300101000000.000000+000'":                                              "",
		"SELECT * FROM Win32_NTLogEvent WHERE TimeGenerated >= '20200101000000.000000+000' AND Type = 'Warning' AND SourceName='app'": "careful",
	} {
		if got := texts(ask(t, s, query), "Message"); got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	path := cim.ObjectPath{Class: "Win32_NTLogEvent", Keys: []cim.Key{{Name: "Logfile", Value: cim.Str("System")}, {Name: "RecordNumber", Value: cim.U32(uint32(record("it broke")))}}}
	if i, err := s.Get(ctx, path, cim.GetOptions{}); err != nil || i.Get("Message").String() != "it broke" {
		t.Errorf("Get %v: %v, %v", path, i, err)
	}
	sum := uint64(0)
	for _, i := range all(t, p, "Win32_NTEventlogFile", query{}) {
		sum += mustUint(i, "NumberOfRecords")
		if i.Get("LogfileName").String() == "Security" && i.Get("NumberOfRecords").String() != strconv.Itoa(count("SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10", "SYSLOG_FACILITY=13")) {
			t.Errorf("Security has %v records", i.Get("NumberOfRecords"))
		}
	}
	if sum != uint64(count()) {
		t.Errorf("the logs have %d records, journalctl has %d", sum, count())
	}
}

func FuzzJournalEntry(f *testing.F) {
	for _, line := range strings.Split(recorded, "\n") {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		// A line without escapes and objects within is read as encoding/json reads it.
		var raw rawEntry
		var other map[string]json.RawMessage
		if !bytes.ContainsAny(line[min(1, len(line)):], "\\{") && json.Unmarshal(line, &other) == nil && len(other) > 0 {
			var want string
			if !raw.parse(line) {
				t.Fatalf("%q was not read", line)
			}
			if json.Unmarshal(other["MESSAGE"], &want) == nil && raw.text(fieldMessage) != want {
				t.Errorf("%q has the text %q, want %q", line, raw.text(fieldMessage), want)
			}
		}
		e, ok := parseEntry(line)
		if !ok {
			return
		}
		if e.number == 0 || e.written.IsZero() || e.eventType() < eventError || e.eventType() > eventAuditFailure {
			t.Errorf("%+v", e)
		}
	})
}

func BenchmarkJournalEntry(b *testing.B) {
	all := strings.Split(recorded, "\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseEntry([]byte(all[0])); !ok {
			b.Fatal("not read")
		}
	}
}

// An entry of a log that is not wanted costs no allocation.
func TestRejectedEntriesAllocateNothing(t *testing.T) {
	line := []byte(strings.Split(recorded, "\n")[0])
	n := testing.AllocsPerRun(100, func() {
		var raw rawEntry
		if !raw.parse(line) || raw.log() != logSystem {
			t.Fatal("not read")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
