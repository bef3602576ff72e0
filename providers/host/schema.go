package host

import (
	"embed"
	"io/fs"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	systemschema "github.com/casementhq/casement/cimom/schema"
)

// Namespace is where the classes belong.
const Namespace = `root\cimv2`

// ProviderName is the Provider qualifier of the classes of [New].
const ProviderName = "CasementHost"

// The class definitions are MOF, one file for each topic; MappingStrings of a class tells where its values come from.
//
//go:embed schema/*.mof
var schemaFiles embed.FS

var loadSchema = sync.OnceValues(func() ([]*cim.Class, error) {
	names, err := fs.Glob(schemaFiles, "schema/*.mof")
	if err != nil {
		return nil, err
	}
	base, _, err := mof.Definitions(systemschema.Files, "common.mof", "events.mof")
	if err != nil {
		return nil, err
	}
	classes, _, err := mof.DefinitionsOn(base, schemaFiles, names...)
	return classes, err
})

// schema returns every class of this package, superclasses before their subclasses. A definition that cannot be
// read is a mistake of this package, which its tests find.
func schema() []*cim.Class {
	all, err := loadSchema()
	if err != nil {
		panic(err)
	}
	return all
}

func classNamed(name string) *cim.Class {
	for _, c := range schema() {
		if cim.EqualFold(c.Name, name) {
			return c
		}
	}
	panic("host: no class " + name)
}
