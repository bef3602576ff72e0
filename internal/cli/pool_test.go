//go:build !nonats

package cli

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/casementtest"
)

// A pool by command: servers, a credential, a refresh, and work on all of them, one
// of which is not there.
func TestPool(t *testing.T) {
	host := casementtest.New(t, casementtest.Options{})
	t.Setenv("CASEMENT_STATE", filepath.Join(t.TempDir(), "state"))
	pool := func(stdin string, args ...string) run {
		return cli(t, stdin, append([]string{"casement", "pool"}, args...)...)
	}

	pool("", "list").want(t, 0, "The pool is empty")
	pool("", "credential", "list").want(t, 0, "There are no credentials")
	pool("", "workers", "list").want(t, 0, "No worker is admitted")
	pool("", "list", "-o", "csv").want(t, 0, "Name,Manageability,Level,Reason,")
	pool("", "run", "all", "--", "true").want(t, 2, "the pool is empty; 'casement pool add NAME'")
	pool("", "add", "web1,web2", "--tag", "web").want(t, 0, "2 added; the pool has 2.")
	pool("", "add", "one", "--address", "127.0.0.1", "--endpoint", host.HTTP, "--credential", "nobody").want(t, 1, "no credential has this name")
	pool("", "add", "srv 09").want(t, 2, "not a name or an address")
	pool(host.Password+"\n", "credential", "add", "ops", "--user", host.User, "--for", "all", "--password-stdin").want(t, 0, "ops is kept")
	pool("", "credential", "add", "ops", "--user", "x").want(t, 2, "--password-stdin")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(host.Password+"\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pool("", "credential", "add", "mine", "--user", host.User, "--password-file", file).want(t, 0, "mine is kept")
	if r := pool("", "credential", "list").want(t, 0, "ops", "mine", host.User); strings.Contains(r.out, host.Password) {
		t.Error("the password is shown")
	}
	pool("", "add", "one", "--address", "127.0.0.1", "--endpoint", host.HTTP, "--tag", "here").want(t, 0, "has 3")
	pool("", "add", "two", "--address", "127.0.0.1", "--endpoint", host.HTTP, "--tag", "here", "--credential", "mine").want(t, 0, "has 4")
	pool("", "add", "dead", "--address", "127.0.0.1", "--endpoint", "http://127.0.0.1:9/wsman", "--tag", "all").want(t, 0, "has 5")
	pool("", "remove", "tag:web").want(t, 0, "2 removed")

	pool("", "list", "state:ok").want(t, 0, "None was asked yet: 'casement pool refresh'")
	pool("", "refresh", "tag:here").want(t, 0, "2 of 2 answer.")
	pool("", "list", "state:ok,attention,info").want(t, 0, "one", "two", "Online")
	pool("", "list", "-o", "csv", "tag:all").want(t, 0, "dead,Not yet checked,none")
	pool("", "list", "colour:red").want(t, 2, "there is no key")
	pool("", "show", "ONE").want(t, 0, "Online", "winrm")
	pool("", "show", "nobody").want(t, 2, "no server of the pool has the name nobody")

	pool("", "run", "one,two", "--", "echo hello").want(t, 0, "one: hello", "two: hello")
	r := pool("", "run", "all", "--", "echo hello").want(t, 1, "one: hello", "two: hello")
	if !strings.Contains(r.err, "1 of 3 servers are not done") || !strings.Contains(r.err, "dead") {
		t.Errorf("%s", r.err)
	}
	pool("", "run", "one", "--", "exit 7").want(t, 1, "one: failed: 7 exit code")
	pool("", "run", "tag:nothing", "--", "true").want(t, 2, "none of the 3 servers of the pool matches tag:nothing")
	pool("", "query", "one,two", "SELECT Name FROM Win32_OperatingSystem", "-o", "csv").want(t, 0, "Host,Name", "one,", "two,")
	pool("", "query", "one", "SELEKT").want(t, 1, "one: failed")
	pool("", "service", "one", "nothing", "explode").want(t, 2, "what to do is one of")
	pool("", "query", "one,nobody", "SELECT Name FROM Win32_OperatingSystem").want(t, 2, "no server of the pool has the name nobody")
	pool("", "query", "here", "SELECT Name FROM Win32_OperatingSystem").want(t, 2, "tag:here are those with this tag")
	pool("", "list", "-tag:here").want(t, 2, "casement pool list -- -tag:web")
	pool("", "list", "--", "-tag:here").want(t, 0, "dead")
	pool("", "tag", "one", "two words").want(t, 2, "cannot be a tag")
	pool("", "credential", "list").want(t, 0, "ops", "all")
	pool("", "list", "one", "-o", "json").want(t, 0, `"Level":"`, `"Memory":`, `"LastContact":"20`)
	pool("", "list", "dead", "-o", "json").want(t, 0, `"CPU":null,"Memory":null,"Disk":null`, `"LastContact":null`)
	pool("", "show", "one").want(t, 0, "Level ")
	pool("", "run", "one", "--limit", "1s", "--", "sleep 60").want(t, 1, "it had not ended after 1s and was told to stop")
	pool("", "invoke", "one,two", "Win32_Process", "Create", "CommandLine=true").want(t, 0, "one: ReturnValue 0 {\"ProcessId\":", "two: ReturnValue 0 ")
	pool("", "invoke", "all", "SELECT * FROM Win32_Process WHERE Handle='none'", "Terminate").want(t, 1, "3 of 3 servers", "the query finds nothing")
	if r := pool("", "invoke", "all", "Win32_Process", "Create", "CommandLine=true").want(t, 1, "1 of 3 servers"); strings.Contains(r.out, "dead") {
		t.Errorf("a server that is not there returned something: %s", r.out)
	}
	pool("", "invoke", "one", "Win32_Process.Handle=", "Terminate").want(t, 2, "the path is not one of CIM")
	pool("", "invoke", "one", "Win32_Process", "Create", "true").want(t, 2, "a parameter is NAME=VALUE")
	to := filepath.Join(os.TempDir(), "casement-copied-"+rand.Text()) // where the service's user may write
	defer os.Remove(to)
	pool("", "copy", "one", file, "/no/such/folder/file").want(t, 1, "one: failed: copy password to /no/such/folder/file: the far end failed with exit code")
	pool("", "copy", "one", file, to).want(t, 0, "1 of 1 done")
	if b, err := os.ReadFile(to); err != nil || string(b) != host.Password+"\nmore\n" {
		t.Errorf("%q, %v", b, err)
	}
	pool("", "copy", "one,dead", file, to).want(t, 1, "1 of 2 done", "1 of 2 servers are not done")
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 512<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	pool("", "copy", "one", big, to).want(t, 2, "larger than 512 kB; 'casement cp'")

	pool("", "change", "one").want(t, 2, "nothing to change is named")
	pool("", "change", "one,two", "--address", "127.0.0.1").want(t, 2, "belong to one server")
	pool("", "change", "one", "--transport", "smb").want(t, 2, "its transport is not")
	pool("", "change", "two", "--note", "moves", "--pause").want(t, 0, "1 changed")
	pool("", "show", "two").want(t, 0, "Paused", "true", "moves", "Endpoint      : "+host.HTTP)
	pool("", "change", "two", "--resume").want(t, 0)
	pool("", "list", "two", "-o", "csv").want(t, 0, "two,Online,")
	pool("", "rename", "two", "one").want(t, 1, "already")
	pool("", "rename", "two", "a b").want(t, 2, "not a name or an address")
	pool("", "rename", "nobody", "x").want(t, 2, "no server of the pool")
	pool("", "rename", "two", "three").want(t, 0, "two is three now")
	pool("", "list", "-o", "csv").want(t, 0, "three,Not yet checked")
	pool("", "rename", "three", "Two").want(t, 0)
	pool("", "rename", "two", "two").want(t, 0)
	pool("", "show", "two").want(t, 0, "moves", "here")

	pool("", "manage-as", "one", "--credential", "mine").want(t, 0, "1 changed")
	pool("", "credential", "remove", "mine").want(t, 1, "it is that of one, two")
	pool("", "tag", "--", "tag:here", "later", "-here").want(t, 0, "2 tagged")
	pool("", "list", "tag:later").want(t, 0, "one", "two")
	pool("", "list", "tag:here").want(t, 0, "")

	id := strings.TrimSpace(pool("", "run", "--no-wait", "one", "--", "true").want(t, 0, "-", "Nobody serves the pool now").out)
	pool("", "work").want(t, 0, id, "queued", "partly failed")
	pool("", "work", id, "--cancel").want(t, 0, "Cancelled")
	pool("", "work", id).want(t, 0, "cancelled")
	pool("", "work", id, "ONE").want(t, 0, "one printed nothing: cancelled")
	pool("", "work", id, "two").want(t, 1, "two is none of the servers of this work")
	pool("", "work", "no-such").want(t, 1, "no work has this name")
	pool("", "worker").want(t, 2, "--nats URL is missing")
	pool("", "list", "--nats", "tls://127.0.0.1:1").want(t, 2, "mutual TLS")
	pool("", "list", "--nats-cert", "x.pem").want(t, 2, "belong to --nats")
}
