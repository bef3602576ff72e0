package settings

import (
	"slices"
	"testing"

	"github.com/casementhq/casement/registry"
)

// One * stands for any text; letters match in either case. See "Allow delegating fresh credentials".
func TestSPNPolicy(t *testing.T) {
	p := SPNPolicy{Configured: true, Names: []string{"WSMAN/host", " wsman/*.corp.example ", "TERMSRV/*", "a*b*c"}}
	for spn, want := range map[string]bool{
		"WSMAN/host": true, "wsman/HOST": true, "WSMAN/host2": false, "WSMAN/hos": false,
		"WSMAN/srv.corp.example": true, "WSMAN/.corp.example": true, "WSMAN/corp.example": false, "WSMAN/corp.example.net": false,
		"TERMSRV/x": true, "HTTP/host": false, "axbxc": false, "": false,
	} {
		if got := p.Match(spn); got != want {
			t.Errorf("%s: %t", spn, got)
		}
	}
	if (SPNPolicy{}).Match("WSMAN/host") || !(SPNPolicy{Names: []string{"*"}}).Match("WSMAN/host") {
		t.Error("no pattern matches nothing, and * everything")
	}
}

func TestLoadDelegation(t *testing.T) {
	dword := registry.DWORD
	for name, tt := range map[string]struct {
		set      []Change
		want     Delegation
		problems int
	}{
		"nothing": {nil, Delegation{}, 0},
		"two names": {[]Change{
			{Key: KeyDelegation, Name: "AllowFreshCredentials", Value: dword(1)},
			{Key: KeyDelegation + `\AllowFreshCredentials`, Name: "1", Value: registry.SZ("WSMAN/a")},
			{Key: KeyDelegation + `\AllowFreshCredentials`, Name: "2", Value: registry.SZ("WSMAN/*.b")},
			{Key: KeyCredSSP, Name: "AllowEncryptionOracle", Value: dword(0)},
		}, Delegation{Fresh: SPNPolicy{true, []string{"WSMAN/a", "WSMAN/*.b"}}, Oracle: OracleForceUpdated}, 0},
		"switched off": {[]Change{
			{Key: KeyDelegation, Name: "AllowFreshCredentialsWhenNTLMOnly", Value: dword(0)},
			{Key: KeyDelegation + `\AllowFreshCredentialsWhenNTLMOnly`, Name: "1", Value: registry.SZ("*")},
			{Key: KeyCredSSP, Name: "AllowEncryptionOracle", Value: dword(2)},
		}, Delegation{FreshNTLMOnly: SPNPolicy{Configured: true}, Oracle: OracleVulnerable}, 0},
		"damaged": {[]Change{
			{Key: KeyDelegation, Name: "AllowFreshCredentials", Value: registry.SZ("yes")},
			{Key: KeyDelegation, Name: "DenyFreshCredentials", Value: dword(1)},
			{Key: KeyDelegation + `\DenyFreshCredentials`, Name: "1", Value: dword(7)},
			{Key: KeyDelegation + `\DenyFreshCredentials`, Name: "2", Value: registry.SZ("WSMAN/x")},
			{Key: KeyCredSSP, Name: "AllowEncryptionOracle", Value: dword(9)},
		}, Delegation{Fresh: SPNPolicy{Configured: true}, Deny: SPNPolicy{true, []string{"WSMAN/x"}}}, 3},
	} {
		got, problems := LoadDelegation(hive(t, nil, tt.set...))
		same := got.Oracle == tt.want.Oracle
		for _, pair := range [][2]SPNPolicy{{got.Fresh, tt.want.Fresh}, {got.FreshNTLMOnly, tt.want.FreshNTLMOnly}, {got.Deny, tt.want.Deny}} {
			same = same && pair[0].Configured == pair[1].Configured && slices.Equal(pair[0].Names, pair[1].Names)
		}
		if !same || len(problems) != tt.problems {
			t.Errorf("%s: %+v, %v", name, got, problems)
		}
	}
}
