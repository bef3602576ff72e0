// Package schema holds the text of the object manager's own classes, the
// system classes, as MOF. See spec/wmi.md 2.3, 5 and 6.
package schema

import "embed"

// Files are the texts, for [mof.Definitions]. What is in common.mof comes
// before all others.
//
//go:embed *.mof
var Files embed.FS
