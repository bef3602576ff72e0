package house

import (
	"slices"
	"strings"
	"testing"
)

var systems = []string{"linux", "darwin", "windows"}

// A rule is one line of the import rules of docs/architecture.md. forbids says, for a package of ours, which of the paths
// relative to the module it must not import; through says that it must not reach them by way of others either.
type rule struct {
	name    string
	through bool
	of      func(p *pkg) bool
	forbids func(path string) bool
}

var (
	clients = anyOf("wsman/wsmanclient", "wmi/wmiclient")
	servers = anyOf("wsman/wsmanserver", "wmi/wmiserver")
	rpc     = anyOf("wmi", "dcom", "dcerpc")
)

func anyOf(trees ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) })
	}
}

func of(match func(string) bool) func(*pkg) bool { return func(p *pkg) bool { return match(p.rel()) } }

func either(f ...func(string) bool) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(f, func(m func(string) bool) bool { return m(path) })
	}
}

func except(names ...string) func(string) bool {
	return func(path string) bool { return !slices.Contains(names, path) }
}

var rules = []rule{
	{"1: cim imports the standard library and security only", true, func(p *pkg) bool { return p.rel() == "cim" }, except("security")},
	{"1: cimom imports no transport and no auth", true, of(anyOf("cimom")), either(anyOf("wsman", "auth"), rpc)},
	{"2: wsman never imports wmi, dcom or dcerpc", true, of(anyOf("wsman")), rpc},
	{"2: wmi, dcom and dcerpc never import wsman", true, of(rpc), anyOf("wsman")},
	{"3: no client imports a server or the object manager", true, of(clients), either(servers, anyOf("cimom", "service", "providers"))},
	{"3: no server imports a client or the object manager", true, of(servers), either(clients, anyOf("cimom", "service", "providers"))},
	{"3: only service, casementtest and fleetsim know both sides", false, func(p *pkg) bool {
		return !either(servers, anyOf("service", "casementtest", "internal/fleetsim", "test", "internal/cli", "cmd"))(p.rel())
	}, servers},
	{"3: the tools know servers through service only", false, of(anyOf("internal/cli", "cmd")), servers},
	{"4: pool, doctor and console use clients only", true, of(anyOf("pool", "doctor", "console")), either(servers, anyOf("cimom", "service", "providers"))},
	{"7: what is internal/ndr serves dcerpc, dcom, wmi and the PAC of Kerberos only", false, func(p *pkg) bool {
		return !either(rpc, anyOf("internal/ndr", "auth/krb5"))(p.rel())
	}, anyOf("internal/ndr")},
}

func TestImportRules(t *testing.T) {
	for _, goos := range systems {
		l := list(t, goos)
		for _, r := range rules {
			for _, p := range l.own {
				if r.of(p) {
					checkRule(t, goos, r, p)
				}
			}
		}
	}
}

func checkRule(t *testing.T, goos string, r rule, p *pkg) {
	t.Helper()
	paths := p.Imports
	if r.through {
		paths = p.Deps
	}
	for _, path := range paths {
		own, isOwn := strings.CutPrefix(path, module+"/")
		if isOwn && r.forbids(own) {
			t.Errorf("%s: rule %s: %s imports %s", goos, r.name, p.rel(), own)
		}
	}
	if p.rel() == "cim" {
		for _, path := range p.Imports {
			if strings.Contains(path, ".") && !within(path, module) {
				t.Errorf("%s: rule %s: cim imports %s", goos, r.name, path)
			}
		}
	}
}

// Rule 5: these do no I/O, and take the time as an argument (see TestPureNames).
var pure = []string{"security", "quota", "settings", "cim/wql", "cim/mof"}

func TestPurePackagesDoNoIO(t *testing.T) {
	denied := []string{"os", "os/exec", "os/user", "net/http", "syscall", "io/ioutil"} // for net see TestPureNames
	for _, goos := range systems {
		for _, p := range list(t, goos).own {
			if !slices.Contains(pure, p.rel()) {
				continue
			}
			for _, path := range p.Imports {
				if slices.Contains(denied, path) || within(path, "golang.org/x/sys") {
					t.Errorf("%s: rule 5: %s imports %s, but it does no I/O", goos, p.rel(), path)
				}
			}
		}
	}
}

// TestRulesFire shows that the rules can fail: packages that break them are made up and must be found.
func TestRulesFire(t *testing.T) {
	broken := []pkg{
		{ImportPath: module + "/cim", Deps: []string{module + "/registry"}},
		{ImportPath: module + "/cimom", Deps: []string{module + "/wsman/wsmanserver"}},
		{ImportPath: module + "/wsman/wscim", Deps: []string{module + "/dcom"}},
		{ImportPath: module + "/wmi/wmiserver", Deps: []string{module + "/wsman"}},
		{ImportPath: module + "/wsman/wsmanclient", Deps: []string{module + "/cimom"}},
		{ImportPath: module + "/wsman/wsmanserver", Deps: []string{module + "/cimom"}},
		{ImportPath: module + "/shell", Imports: []string{module + "/wsman/wsmanserver"}},
		{ImportPath: module + "/internal/cli", Imports: []string{module + "/wsman/wsmanserver"}},
		{ImportPath: module + "/doctor", Deps: []string{module + "/service"}},
		{ImportPath: module + "/wsman", Imports: []string{module + "/internal/ndr"}},
	}
	if len(broken) != len(rules) {
		t.Fatalf("%d rules, %d made-up packages", len(rules), len(broken))
	}
	for i, r := range rules {
		p := &broken[i]
		found := false
		for _, path := range append(p.Imports, p.Deps...) {
			found = found || r.of(p) && r.forbids(strings.TrimPrefix(path, module+"/"))
		}
		if !found {
			t.Errorf("rule %s does not find %s", r.name, p.rel())
		}
	}
}
