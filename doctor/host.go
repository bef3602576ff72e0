package doctor

import (
	"cmp"
	"strings"
)

// releases are the names of Windows by version and build, servers first where a
// client has the same build: only servers are meant to be managed.
var releases = []struct{ version, name string }{
	{"6.0.", "Windows Server 2008"},
	{"6.1.", "Windows Server 2008 R2"},
	{"6.2.", "Windows Server 2012"},
	{"6.3.", "Windows Server 2012 R2"},
	{"10.0.14393", "Windows Server 2016"},
	{"10.0.17763", "Windows Server 2019"},
	{"10.0.20348", "Windows Server 2022"},
	{"10.0.25398", "Windows Server, version 23H2"},
	{"10.0.26100", "Windows Server 2025"},
}

// system names the machine's system: as it told it, else by its version; ""
// where neither is known.
func (h hostFacts) system() string {
	if h.os != "" || h.kind != windowsHost {
		return h.os
	}
	for _, r := range releases {
		if strings.HasPrefix(h.version, r.version) {
			return r.name
		}
	}
	if h.version != "" {
		return "Windows " + h.version
	}
	return ""
}

// older tells whether the machine is a Windows before a version such as "6.2".
// What told no version is not.
func (h hostFacts) older(version string) bool {
	if h.kind != windowsHost || h.version == "" {
		return false
	}
	have, want := strings.Split(h.version, "."), strings.Split(version, ".")
	for n := range min(len(have), len(want)) {
		if d := cmp.Or(cmp.Compare(len(have[n]), len(want[n])), cmp.Compare(have[n], want[n])); d != 0 {
			return d < 0
		}
	}
	return false
}
