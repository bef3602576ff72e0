//go:build !linux

package adtest

import "testing"

// Shared skips: there is a domain controller on Linux alone.
func Shared(t testing.TB) *Domain {
	t.Helper()
	t.Skip("a domain controller of Samba runs on Linux")
	return nil
}

// Close does nothing.
func Close() {}

// Login is never reached.
func (d *Domain) Login(testing.TB, string) string { return "" }

// FirstUID is nobody's.
const FirstUID = 0

// Joined is never reached.
func (d *Domain) Joined(testing.TB) *Member { return nil }
