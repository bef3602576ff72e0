//go:build !windows

package shell

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// userName is what a name of the user database may look like here; it keeps
// options and separators out of the child processes below.
var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,254}\$?$`)

// ValidUserName reports whether name can be looked up at all.
func ValidUserName(name string) bool { return userName.MatchString(name) }

// LookupIdentity resolves a Unix user by name: from /etc/passwd and
// /etc/group, else through the name service switch (getent and id, so that
// directory users are found by a binary without cgo).
// The error is a user.UnknownUserError where there is no such user.
func LookupIdentity(name string) (Identity, error) {
	if !ValidUserName(name) {
		return Identity{}, user.UnknownUserError(name)
	}
	line, local := passwdLine(name)
	if !local {
		line = getent("getent", "passwd", name)
	}
	id, err := parseEntry(name, line, local)
	if err != nil {
		return Identity{}, err
	}
	groups, err := groupsOf(name, strconv.FormatUint(uint64(id.GID), 10), local)
	if err != nil {
		return Identity{}, err
	}
	id.Groups = groups
	return id, nil
}

// parseEntry takes the answer to a question for name out of its line of passwd.
func parseEntry(name, line string, local bool) (Identity, error) {
	f := strings.Split(strings.TrimSpace(line), ":")
	// What is no name, such as a number, finds somebody, too. A name with its domain is answered by the short one where that is how
	// the administrator of winbind or SSSD wants users to be called.
	if len(f) != 7 || f[0] != name && (local || !strings.ContainsAny(name, `\@`)) {
		return Identity{}, user.UnknownUserError(name)
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 32)
	gid, err2 := strconv.ParseUint(f[3], 10, 32)
	if err1 != nil || err2 != nil {
		return Identity{}, fmt.Errorf("shell: user %s has no numeric ids in the user database", name)
	}
	return Identity{UnixUser: name, UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}, nil
}

// passwdLine returns the line of name in /etc/passwd.
func passwdLine(name string) (string, bool) {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return "", false
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if n, _, ok := strings.Cut(sc.Text(), ":"); ok && n == name {
			return sc.Text(), true
		}
	}
	return "", false
}

func groupsOf(name, gid string, local bool) ([]uint32, error) {
	var ids []string
	if local {
		u := user.User{Username: name, Gid: gid}
		g, err := u.GroupIds()
		if err != nil {
			return nil, fmt.Errorf("shell: groups of user %s: %w", name, err)
		}
		ids = g
	} else if ids = strings.Fields(getent("id", "-G", name)); len(ids) == 0 {
		return nil, fmt.Errorf("shell: the groups of user %s cannot be read (id -G failed)", name)
	}
	out := make([]uint32, 0, len(ids))
	for _, s := range ids {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("shell: group %q of user %s is not a number", s, name)
		}
		out = append(out, uint32(n))
	}
	return out, nil
}

// getent runs one look-up program and returns what it printed, at most 64 KiB.
func getent(program string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	path, err := lookPath(program, DefaultPath)
	if err != nil {
		return ""
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Env = []string{"PATH=" + DefaultPath, "LANG=C"}
	out, err := c.StdoutPipe()
	if err != nil || c.Start() != nil {
		return ""
	}
	b, _ := io.ReadAll(io.LimitReader(out, 64<<10)) // a short answer fails the parse
	if c.Wait() != nil {
		return ""
	}
	return string(b)
}

// Current returns the identity of this process's effective user.
func Current() (Identity, error) {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		return Identity{}, err
	}
	return LookupIdentity(u.Username)
}
