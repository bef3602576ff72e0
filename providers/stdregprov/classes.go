package stdregprov

import (
	"embed"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
)

//go:embed schema/registry.mof
var schemaFiles embed.FS

// cimv2 is where clients look for StdRegProv beside root\default.
const cimv2 = `root\cimv2`

var loadClasses = sync.OnceValues(func() ([]*cim.Class, error) {
	classes, _, err := mof.Definitions(schemaFiles, "schema/registry.mof")
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

// Classes are StdRegProv of root\default and of root\cimv2. A text that cannot be read is a mistake of this package,
// which its tests find.
func (p *Provider) Classes() []*cim.Class {
	all, err := loadClasses()
	if err != nil {
		panic(err)
	}
	return all
}
