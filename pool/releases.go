package pool

import (
	"strconv"
	"strings"
)

// release is a release of Windows Server and what it needs to be managed in full.
// See spec/winrm.md 9, "Required updates", and rows 3.03 to 3.10.
type release struct {
	version   string // major.minor
	name      string
	framework string // .NET Framework; "" where nothing is needed
	wmf       string // Windows Management Framework
	// counterFix says that performance counters need KB2682011.
	counterFix bool
	// dcom says that it is managed over DCOM where WinRM is not that of WMF 3.0.
	dcom bool
	// onlineOnly says that nothing but whether it is online is shown.
	onlineOnly bool
	// state is that of a server without what it needs.
	state State
}

// releases has every release that needs something. Later ones have all of it.
var releases = []release{
	{version: "5.2", name: "Windows Server 2003", dcom: true, onlineOnly: true},
	{version: "6.0", name: "Windows Server 2008", framework: "4.0", wmf: "3.0", counterFix: true, dcom: true, state: NotAccessibleWMF3},
	{version: "6.1", name: "Windows Server 2008 R2", framework: "4.5", wmf: "4.0", counterFix: true, dcom: true, state: NotAccessible},
	{version: "6.2", name: "Windows Server 2012", framework: "4.6", wmf: "5.0", state: NotAccessible},
	{version: "6.3", name: "Windows Server 2012 R2", framework: "4.6", wmf: "5.0", state: NotAccessible},
}

// releaseOf finds the release of a version of Windows, the zero value for one that
// needs nothing.
func releaseOf(version string) release {
	for _, r := range releases {
		if version == r.version || strings.HasPrefix(version, r.version+".") {
			return r
		}
	}
	return release{}
}

// missing are the parts that a release needs and that the server does not have, as
// far as it told.
func (r release) missing(s *Software) []string {
	if s == nil || r.wmf == "" {
		return nil
	}
	var list []string
	if s.Framework == "" || older(s.Framework, r.framework) {
		list = append(list, ".NET Framework "+strings.TrimSuffix(r.framework, ".0"))
	}
	if s.PowerShell == "" || older(s.PowerShell, r.wmf) || s.Stack != "" && older(s.Stack, "3.0") {
		list = append(list, "Windows Management Framework "+r.wmf)
	}
	return list
}

// older compares versions number by number. One that cannot be read is older.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for n := range max(len(x), len(y)) {
		i, j := versionPart(x, n), versionPart(y, n)
		if i != j {
			return i < j
		}
	}
	return false
}

func versionPart(list []string, n int) int {
	if n >= len(list) {
		return 0
	}
	i, err := strconv.Atoi(list[n])
	if err != nil {
		return -1
	}
	return i
}

// frameworks are the values of Release in the registry, and from which version on
// they are written.
var frameworks = []struct {
	release uint64
	version string
}{
	{528040, "4.8"}, {461808, "4.7.2"}, {460798, "4.7"}, {394802, "4.6.2"}, {394254, "4.6.1"}, {393295, "4.6"},
	{379893, "4.5.2"}, {378675, "4.5.1"}, {378389, "4.5"},
}

// frameworkOf is the .NET Framework of a value of Release; what is lower, or absent
// where 4 is installed, is 4.0.
func frameworkOf(n uint64) string {
	for _, f := range frameworks {
		if n >= f.release {
			return f.version
		}
	}
	return "4.0"
}
