package privilege

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/shell"
)

// DefaultPorts are the ports of the protocols: HTTP and HTTPS in their old and
// new places, and the RPC endpoint mapper.
var DefaultPorts = []uint16{80, 135, 443, 5985, 5986}

// DefaultMaxJobs bounds the jobs that the helper holds at one time.
const DefaultMaxJobs = 1024

// Policy is what the helper may do. It stands in a file that only root can
// write and is read anew for each request, so that an administrator's change
// holds at once and a compromised service cannot widen it.
type Policy struct {
	// Users are the Unix users who may be started. Nobody else is.
	Users []string `json:"users"`
	// Domains are those whose users may be started, too, as the Unix users that the name service switch has for them: DOMAIN\* or *@realm,
	// without case. None of them may be root, or have the number of a user of /etc/passwd.
	Domains []string `json:"domains,omitempty"`
	// AllowRoot permits a user whose uid is 0, if Users names it too.
	AllowRoot bool `json:"allow_root,omitempty"`
	// Ports that may be listened on. Empty: DefaultPorts.
	Ports []uint16 `json:"ports,omitempty"`
	// Firewall permits to have the kernel drop connections to the service's own ports.
	Firewall bool `json:"firewall,omitempty"`
	// MaxJobs at one time. 0: DefaultMaxJobs.
	MaxJobs int `json:"max_jobs,omitempty"`
}

const maxPolicyBytes = 1 << 20

// WritePolicy replaces the policy file, mode 0600, in one step.
func WritePolicy(path string, p Policy) error {
	for _, u := range p.Users {
		if !shell.ValidUserName(u) {
			return fmt.Errorf("privilege: %q cannot be the name of a Unix user", u)
		}
	}
	for _, d := range p.Domains {
		if !ValidDomain(d) {
			return fmt.Errorf("privilege: %q does not name the users of a domain, as DOMAIN\\* or *@realm do", d)
		}
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".policy-*") // created with mode 0600
	if err != nil {
		return fmt.Errorf("privilege: write policy: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("privilege: write policy %s: %w", path, err)
	}
	return nil
}

// LoadPolicy reads the policy file. It refuses one that somebody other than
// root owns or may write, or whose directory is so.
func LoadPolicy(path string) (Policy, error) {
	f, err := openRootOwned(path)
	if err != nil {
		return Policy{}, fmt.Errorf("privilege: policy %s: %w", path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPolicyBytes+1))
	if err != nil {
		return Policy{}, fmt.Errorf("privilege: policy %s: %w", path, err)
	}
	if len(b) > maxPolicyBytes {
		return Policy{}, fmt.Errorf("privilege: policy %s is larger than %d bytes", path, maxPolicyBytes)
	}
	var p Policy
	if err := decodeStrict(b, &p); err != nil {
		return Policy{}, fmt.Errorf("privilege: policy %s: %w", path, err)
	}
	return p, nil
}

func (p Policy) permitsPort(port uint16) bool {
	if len(p.Ports) == 0 {
		return slices.Contains(DefaultPorts, port)
	}
	return slices.Contains(p.Ports, port)
}

func (p Policy) maxJobs() int {
	if p.MaxJobs > 0 {
		return p.MaxJobs
	}
	return DefaultMaxJobs
}

// ValidDomain reports whether text can be one of Policy.Domains.
func ValidDomain(text string) bool {
	before, after, ok := strings.Cut(text, "*")
	switch {
	case !ok || (before == "") == (after == ""):
		return false
	case after == "":
		name, slash := strings.CutSuffix(before, `\`)
		return slash && shell.ValidUserName(name) && !strings.ContainsAny(name, `\@`)
	}
	name, at := strings.CutPrefix(after, "@")
	return at && shell.ValidUserName(name) && !strings.ContainsAny(name, `\@`)
}

// ofDomain tells whether name is that of a user of one of Domains.
func (p Policy) ofDomain(name string) bool {
	return slices.ContainsFunc(p.Domains, func(d string) bool {
		before, after, _ := strings.Cut(d, "*")
		rest := len(name) - len(before) - len(after)
		return ValidDomain(d) && rest > 0 && strings.EqualFold(name[:len(before)], before) && strings.EqualFold(name[len(before)+rest:], after) &&
			!strings.ContainsAny(name[len(before):len(before)+rest], `\@`)
	})
}

// permitsUser decides by the name that was asked for and by the uid that the
// user database gives for it, so that a second name of root is root.
func (p Policy) permitsUser(name string, uid uint32) error {
	named := slices.Contains(p.Users, name)
	switch {
	case !named && !p.ofDomain(name):
		return refusef("user %s is not on the helper's list; map an account to it first, or, for users of a domain, permit those of the name service switch", name)
	case uid == 0 && (!named || !p.AllowRoot):
		return refusef("user %s is root and the helper was not told to permit that", name)
	}
	return nil
}

// permitsFound decides about who was found: a domain, which numbers its own users, makes nobody a user of this machine.
func (p Policy) permitsFound(id shell.Identity, passwd string) error {
	if slices.Contains(p.Users, id.UnixUser) {
		return nil
	}
	for line := range strings.Lines(passwd) {
		if f := strings.SplitN(line, ":", 4); len(f) == 4 && f[2] == strconv.FormatUint(uint64(id.UID), 10) {
			return refusef("user %s of a domain has the number of %s, who is of this machine", id.UnixUser, f[0])
		}
	}
	return nil
}
