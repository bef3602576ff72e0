package ipmi

import (
	"embed"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
)

//go:embed schema/*.mof
var schemaFiles embed.FS

var loadSchema = sync.OnceValues(func() ([]*cim.Class, error) {
	classes, _, err := mof.Definitions(schemaFiles, "schema/cim.mof", "schema/ipmi.mof", "schema/wmi.mof")
	return classes, err
})

// Classes are the definitions, superclasses first. A text that cannot be read is a mistake of this package, which its
// tests find.
func (p *Provider) Classes() []*cim.Class {
	all, err := loadSchema()
	if err != nil {
		panic(err)
	}
	return all
}
