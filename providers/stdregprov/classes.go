package stdregprov

import (
	"embed"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom/schema"
)

//go:embed schema/*.mof
var schemaFiles embed.FS

// cimv2 is where clients look for StdRegProv beside root\default.
const cimv2 = `root\cimv2`

// systemClasses are the classes of every namespace that those here build on.
var systemClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	classes, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof", "security.mof")
	return classes, err
})

var loadClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	base, err := systemClasses()
	if err != nil {
		return nil, err
	}
	classes, _, err := mof.DefinitionsOn(base, schemaFiles, "schema/registry.mof", "schema/events.mof")
	if err != nil {
		return nil, err
	}
	for _, c := range classes {
		if c.Name == "StdRegProv" {
			second := *c
			second.Namespace = cimv2
			return append(classes, second.Seal()), nil
		}
	}
	return classes, nil
})

// Classes are StdRegProv of root\default and of root\cimv2, and the events of root\default. A text that cannot be
// read is a mistake of this package, which its tests find.
func (p *Provider) Classes() []*cim.Class {
	all, err := loadClasses()
	if err != nil {
		panic(err)
	}
	return all
}

// systemClass finds a system class, nil where there is none of that name.
func systemClass(name string) *cim.Class {
	all, _ := systemClasses()
	for _, c := range all {
		if cim.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}
