package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// importers is the table of rule 6: for each third-party module, or one package of a golang.org/x module, the only trees of ours
// that may import it. docs/architecture.md says why each was chosen; a new line comes with a record in docs/adr.
var importers = map[string][]string{
	"go.etcd.io/bbolt":                    {"internal/store"},
	"github.com/coreos/go-systemd/v22":    {"internal/systemd"},
	"github.com/godbus/dbus/v5":           {"internal/systemd"},
	"github.com/fsnotify/fsnotify":        {"registry"},
	"github.com/google/nftables":          {"firewall/internal/nft"},
	"filippo.io/age":                      {"internal/seal"},
	"golang.org/x/crypto/md4":             {"auth/ntlm"},
	"golang.org/x/crypto/cryptobyte":      {"auth/spnego", "auth/credssp", "auth/krb5"},
	"github.com/jcmturner/gokrb5/v8":      {"auth/krb5"},
	"github.com/prometheus/procfs":        {"internal/procs"},
	"github.com/shirou/gopsutil/v4":       {"providers/host", "internal/procs"},
	"github.com/jaypipes/ghw":             {"providers/host"},
	"github.com/siderolabs/go-smbios":     {"providers/host"},
	"github.com/moby/sys/mountinfo":       {"providers/host"},
	"github.com/vishvananda/netlink":      {"providers/host/internal/nl"},
	"github.com/bougou/go-ipmi":           {"providers/ipmi"},
	"github.com/moby/sys/capability":      {"shell"},
	"golang.org/x/text":                   {"shell", "wsman"},
	"golang.org/x/net":                    {"internal/dial"},
	"github.com/go-ldap/ldap/v3":          {"pool/internal/directory"},
	"github.com/nats-io/nats-server/v2":   {"pool/internal/bus"},
	"github.com/nats-io/nats.go":          {"pool/internal/bus"},
	"github.com/danielgtaylor/huma/v2":    {"console"},
	"github.com/alexedwards/scs/v2":       {"console"},
	"github.com/spf13/cobra":              {"internal/cli"},
	"github.com/spf13/pflag":              {"internal/cli"},
	"github.com/jedib0t/go-pretty/v6":     {"internal/cli"},
	"github.com/peterh/liner":             {"internal/cli"},
	"github.com/zalando/go-keyring":       {"internal/cli"},
	"golang.org/x/term":                   {"internal/cli"},
	"golang.org/x/sys":                    {""},
	"github.com/prometheus/client_golang": {"internal/metrics"},
	"github.com/prometheus/client_model":  {"internal/metrics"}, // what a scrape gives, read by its tests
	"github.com/prometheus/common":        {"internal/metrics"},
}

// testOnly may be imported by test files of any package, and by the packages below test and by cim/cimtest.
var testOnly = []string{"github.com/rogpeppe/go-internal", "go.uber.org/goleak", "github.com/google/go-cmp", "pgregory.net/rapid"}

func TestThirdPartyImporters(t *testing.T) {
	for _, goos := range systems {
		for _, p := range list(t, goos).own {
			for _, path := range p.Imports {
				if why := refused(path, p.rel()); why != "" {
					t.Errorf("%s: rule 6: %s imports %s: %s", goos, p.rel(), path, why)
				}
			}
			for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
				if isTestOnly(path) {
					continue
				}
				if why := refused(path, p.rel()); why != "" {
					t.Errorf("%s: rule 6: a test of %s imports %s: %s", goos, p.rel(), path, why)
				}
			}
		}
	}
}

func isTestOnly(path string) bool {
	return slices.ContainsFunc(testOnly, func(m string) bool { return within(path, m) })
}

// refused says why a package of ours may not import a path, or "".
func refused(path, rel string) string {
	first, _, _ := strings.Cut(path, "/")
	if !strings.Contains(first, ".") || within(path, module) {
		return ""
	}
	if isTestOnly(path) {
		if within(rel, "test") || within(rel, "cim/cimtest") {
			return ""
		}
		return "it is for tests only"
	}
	for _, m := range slices.Sorted(maps.Keys(importers)) {
		if !within(path, m) {
			continue
		}
		for _, tree := range importers[m] {
			if tree == "" || within(rel, tree) {
				return ""
			}
		}
		return "only " + strings.Join(importers[m], ", ") + " may"
	}
	return "it is not in the table of modules; choose on upkeep, licence and fit, write docs/adr, then add it here"
}

func TestThirdPartyTableFires(t *testing.T) {
	for path, rel := range map[string]string{
		"golang.org/x/crypto/md4":       "accounts",
		"github.com/spf13/viper":        "registry",
		"github.com/google/go-cmp/cmp":  "wsman",
		"github.com/prometheus/procfs":  "providers/host",
		"github.com/jaypipes/ghw/pkg/x": "shell",
	} {
		if refused(path, rel) == "" {
			t.Errorf("%s may import %s, but must not", rel, path)
		}
	}
}

// The binary needs no C at all; sdjournal, psx and the like would bring it in.
func TestNoCgo(t *testing.T) {
	for _, p := range list(t, "linux").all {
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("%s has cgo files: %v", p.ImportPath, p.CgoFiles)
		}
	}
}
