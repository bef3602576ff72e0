// Package schema holds the text of the object manager's own classes, the
// system classes, as MOF. See spec/wmi.md 2.3, 5 and 6.
package schema

import "embed"

// The texts, superclasses first.
var (
	//go:embed common.mof
	Common string // every namespace
	//go:embed events.mof
	Events string // every namespace, after Common
	//go:embed security.mof
	Security string // every namespace, after Common
	//go:embed root.mof
	Root string // root
	//go:embed identification.mof
	Identification string // root and root\default
	//go:embed repository.mof
	Repository string // root
)

// Files has the same texts as files, for [mof.Definitions]: "events.mof" and
// the like.
//
//go:embed *.mof
var Files embed.FS
