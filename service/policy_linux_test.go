package service

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/privilege"
)

const nobody = 65534

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// What root permits holds at once and outlives restarts; what the service
// could have written into its own files permits nothing.
func TestPolicyIsRootsAlone(t *testing.T) {
	needRoot(t)
	s := at(t, t.TempDir(), testTime())
	path := PolicyPath(s.Dir)
	defer os.Remove(path)
	add := func(name, unix string, root bool) {
		t.Helper()
		if _, err := s.Accounts.AddUser(accounts.NewUser{Name: name, UnixUser: unix, AllowRoot: root}); err != nil {
			t.Fatal(err)
		}
	}
	users := func() []string {
		t.Helper()
		p, err := privilege.LoadPolicy(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nobody but the service's own user
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.AllowRoot != slices.Contains(p.Users, "root") {
			t.Errorf("policy %+v", p)
		}
		return p.Users[1:] // the first is the service's user
	}
	permit := func(name string) {
		t.Helper()
		if err := s.Permit(name); err != nil {
			t.Fatal(err)
		}
	}
	start := func(root, refused int) {
		t.Helper()
		told, err := s.WritePolicy()
		if err != nil || len(told.Root) != root || len(told.Refused) != refused {
			t.Errorf("at the start: %+v, %v; want %d as root and %d refused", told, err, root, refused)
		}
	}
	add("planted", "daemon", false) // as a service that was taken over could
	add("plantedroot", "root", true)
	start(0, 2)
	if got := users(); len(got) != 0 {
		t.Errorf("the accounts file alone permits %q", got)
	}
	add("alice", "bin", false)
	permit("alice")
	if got := users(); !slices.Equal(got, []string{"bin"}) {
		t.Errorf("root mapped alice to bin; permitted are %q", got)
	}
	start(0, 2)
	if got := users(); !slices.Equal(got, []string{"bin"}) {
		t.Errorf("after a restart permitted are %q", got)
	}
	add("admin", "root", true)
	permit("ADMIN")
	if got := users(); !slices.Contains(got, "root") {
		t.Errorf("root mapped admin to root; permitted are %q", got)
	}
	start(2, 1) // whom root permitted once is permitted for every account that is mapped so
	for _, name := range []string{"admin", "plantedroot", "alice"} {
		if err := s.Accounts.DeleteUser(name); err != nil {
			t.Fatal(err)
		}
		permit("")
	}
	if got := users(); len(got) != 0 {
		t.Errorf("nobody is mapped, permitted are %q", got)
	}
	add("bob", "bin", false)
	permit("bob")
	for _, p := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err != nil || !ownedBy(info, 0) || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

// The service's user may have put anything into the folder that root gives it.
func TestGiveStateFollowsNoLink(t *testing.T) {
	needRoot(t)
	base := t.TempDir()
	secret := filepath.Join(base, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	owner := func(path string) uint32 {
		t.Helper()
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	dir := filepath.Join(base, "state")
	s := at(t, dir, testTime())
	bootstrap(t, s, freePorts)
	if err := os.Symlink(secret, filepath.Join(dir, "certificates", "link.pem")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := giveState(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if owner(secret) != 0 {
		t.Error("a link gave root's file away")
	}
	for _, f := range []string{"", "format", "hive.reg", "accounts.json", "certificates", "certificates/" + https(t, s).CertificateThumbprint + ".pem"} {
		if owner(filepath.Join(dir, f)) != nobody {
			t.Errorf("%q was not given", f)
		}
	}
	if err := os.Link(secret, filepath.Join(dir, "hive.reg.new")); err != nil {
		t.Fatal(err)
	}
	if err := giveState(dir, nobody, nobody); err == nil || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("a hard link: %v", err)
	}
	if owner(secret) != 0 {
		t.Error("a hard link gave root's file away")
	}
}

// Who is neither root nor the owner of the folder is let in neither by the
// socket nor by the files, and hears why; the owner is.
func TestLocalIsForTheOwner(t *testing.T) {
	if dir := os.Getenv("CASEMENT_TEST_LOCAL"); dir != "" {
		_, closeAll, err := Local(t.Context(), dir, nil)
		if err != nil {
			io.WriteString(os.Stdout, err.Error()) //nolint:errcheck // the test reads it
			if errors.Is(err, fs.ErrPermission) {
				os.Exit(5)
			}
			os.Exit(1)
		}
		if err := closeAll(); err != nil {
			t.Fatal(err)
		}
		return
	}
	needRoot(t)
	base, err := os.MkdirTemp("", "casement-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	exe := filepath.Join(base, "test")
	self, err := os.ReadFile("/proc/self/exe")
	if err = errors.Join(err, os.WriteFile(exe, self, 0o755), os.Chmod(base, 0o755)); err != nil { // #nosec G306 G302 -- others run it
		t.Fatal(err)
	}
	asNobody := func(dir string) (string, int) {
		cmd := exec.Command(exe, "-test.run=^TestLocalIsForTheOwner$")
		cmd.Env, cmd.Dir = []string{"CASEMENT_TEST_LOCAL=" + dir}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	dir := filepath.Join(base, "state")
	s := at(t, dir, testTime())
	svc, err := New(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	defer svc.WinRM.Close()
	l, err := listenUnix(filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, mode := range []os.FileMode{0o700, 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if out, code := asNobody(dir); code != 5 || !strings.Contains(out, "access is denied (5)") || !strings.Contains(out, "sudo") {
			t.Errorf("another user of a folder with mode %v: exit code %d, %s", mode, code, out)
		}
	}
	mine := filepath.Join(base, "mine")
	bootstrap(t, at(t, mine, testTime()), freePorts)
	if err := giveState(mine, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if out, code := asNobody(mine); code != 0 {
		t.Errorf("the owner: exit code %d, %s", code, out)
	}
	overLocal(t, mine) // root changes a setting of theirs
	info, err := os.Stat(filepath.Join(mine, "hive.reg"))
	if err != nil || !ownedBy(info, nobody) {
		t.Errorf("after a change by root the hive is not its owner's any more (%v)", err)
	}
	if out, code := asNobody(mine); code != 0 {
		t.Errorf("the owner, after root: exit code %d, %s", code, out)
	}
}
