package newcomer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// subscription logs each filter that is stored, to DIR/filters.log.
const subscription = `#pragma namespace("\\\\.\\root\\subscription")
instance of __EventFilter as $Filter
{
  Name = "Filters"; EventNamespace = "root\\subscription"; QueryLanguage = "WQL";
  Query = "SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA '__EventFilter'";
};
instance of LogFileEventConsumer as $Consumer { Name = "Filters"; Filename = "DIR/filters.log"; Text = "%TargetInstance.Name% is new"; };
instance of __FilterToConsumerBinding { Filter = $Filter; Consumer = $Consumer; };
`

// What WinRM shows of files and changes is what the Unix user of the account may, in a process of that user that ends
// with the service: the one that reads the network is none of them.
func TestFilesOfMappedUsers(t *testing.T) {
	needRoot(t)
	p := self(t)
	state := filepath.Join(p.home, "state")
	defer forgetPolicy(state)
	files, err := os.MkdirTemp("", "casement-files-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(files)
	for _, line := range [][]string{{"chmod", "0755", files}, {"install", "-d", "-o", "daemon", "-m", "0700", files + "/secret"}, {"install", "-o", "daemon", "-m", "0600", "/etc/hostname", files + "/secret/page"}} {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v, %s", line, err, out)
		}
	}
	m := p.start(t, up(state)...)
	url, q := m.field("HTTP"), p
	q.env = []string{"CASEMENT_USER=Administrator", "CASEMENT_PASSWORD=" + m.field("Password")}
	query := "SELECT Name FROM CIM_DataFile WHERE Path = '" + files + "/secret/'"
	for _, c := range []struct {
		unix string
		sees bool
	}{{"", false}, {"daemon", true}, {"bin", false}} {
		if c.unix != "" {
			p.must(t, "user", "map", "--state", state, "Administrator", "--unix", c.unix)
		}
		if out := q.must(t, "query", url, query, "-o", "csv"); strings.Contains(out, "secret/page") != c.sees {
			t.Errorf("mapped to %q the Administrator sees %q", c.unix, out)
		}
		if c.sees {
			q.must(t, "invoke", url, `CIM_DataFile.Name="`+files+`/secret/page"`, "Copy", "FileName="+files+"/secret/copy")
			if out, err := exec.Command("stat", "-c", "%U", files+"/secret/copy").Output(); err != nil || string(out) != c.unix+"\n" {
				t.Errorf("the copy belongs to %q (%v)", out, err)
			}
			logOfSubscription(t, p, state, files+"/secret")
		}
	}
	out := q.must(t, "query", url, "SELECT ProcessId, Name FROM Win32_Process WHERE CommandLine LIKE '%provider-host CasementFiles%'", "-o", "csv")
	var pids []string
	for line := range strings.Lines(out) {
		if pid, name, ok := strings.Cut(strings.TrimSpace(line), ","); ok && name == "casement" {
			pids = append(pids, pid)
		}
	}
	if len(pids) < 2 {
		t.Errorf("Win32_Process shows these hosts: %q", out)
	}
	m.end(syscall.SIGTERM)
	for _, pid := range pids {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", pid)); err == nil && strings.Contains(string(b), "provider-host") {
			t.Errorf("the host %s outlives its service", pid)
		}
	}
}

// logOfSubscription stores a subscription of the administrators, whose log is
// daemon's.
func logOfSubscription(t *testing.T, p person, state, dir string) {
	t.Helper()
	compile := func(text string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "x.mof")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p.must(t, "mofcomp", "--state", state, file)
	}
	compile(strings.ReplaceAll(subscription, "DIR", dir))
	log := dir + "/filters.log"
	for n, end := 0, time.Now().Add(20*time.Second); ; n++ {
		compile(fmt.Sprintf(`#pragma namespace("\\\\.\\root\\subscription")
instance of __EventFilter { Name = "new%d"; QueryLanguage = "WQL"; Query = "SELECT * FROM __TimerEvent"; };`, n))
		time.Sleep(20 * time.Millisecond)
		if b, err := os.ReadFile(log); err == nil && strings.HasPrefix(string(b), "new") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no event is in the log file")
		}
	}
	if out, err := exec.Command("stat", "-c", "%U %a", log).Output(); err != nil || string(out) != "daemon 600\n" {
		t.Errorf("the log is %q (%v)", out, err)
	}
}
