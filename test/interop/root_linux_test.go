package interop

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The process that has the sockets of the listeners has neither root's user ids nor a capability, as /proc tells it.
func TestWhoReadsTheNetworkIsNotRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give root up")
	}
	s := running(t)
	for _, address := range []string{s.http, s.https} {
		holders := listeners(t, address)
		for try := 0; len(holders) == 0 && try < 50; try++ { // a table that changes while it is read may lack a line
			time.Sleep(100 * time.Millisecond)
			holders = listeners(t, address)
		}
		if len(holders) == 0 {
			t.Fatalf("no process listens at %s", address)
		}
		for _, pid := range holders {
			status := statusOf(t, pid)
			if uids := strings.Fields(status["Uid"]); len(uids) != 4 || slices.Contains(uids, "0") {
				t.Errorf("process %s listens at %s with the user ids %v", pid, address, uids)
			}
			for _, set := range []string{"CapPrm", "CapEff", "CapAmb"} {
				if caps, err := strconv.ParseUint(status[set], 16, 64); err != nil || caps != 0 {
					t.Errorf("process %s listens at %s with %s %s", pid, address, set, status[set])
				}
			}
		}
	}
}

// listeners finds the processes that hold the socket of an address.
func listeners(t *testing.T, address string) []string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	// This thread's network: /proc/net is that of the process's first thread, which a goroutine may have
	// taken into another network for ever (it ends with the goroutine, unless it is the first).
	table, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	link := ""
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if f[1] == fmt.Sprintf("0100007F:%04X", port) && f[3] == "0A" {
			link = "socket:[" + f[9] + "]"
		}
	}
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, name := range files {
		if to, err := os.Readlink(name); err == nil && to == link {
			pids = append(pids, strings.Split(name, "/")[2])
		}
	}
	return pids
}

func statusOf(t *testing.T, pid string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}
