package host

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/casementhq/casement/cim"
)

// Namespace is where the classes belong.
const Namespace = `root\cimv2`

// ProviderName is the Provider qualifier of every class here.
const ProviderName = "CasementHost"

// The class definitions are text, one class after the other:
//
//	class NAME [: SUPERCLASS] [abstract] [association] [aggregation] [singleton] [dynamic] [createby=METHOD]
//	  source WHERE THE VALUES COME FROM                 (an entry of MappingStrings)
//	  [key] TYPE NAME [cimkey] [maxlen=N] [units="U"] [write]
//	  method [implemented] [static] TYPE NAME(in|out [optional] TYPE NAME, ...)
//
// TYPE is a MOF type, "CLASS REF", or the class of an embedded object.
//
//go:embed schema/*.txt
var schemaFiles embed.FS

// schemaOrder puts the superclasses first; all other files follow.
var schemaOrder = []string{"schema/cim.txt"}

var loadSchema = sync.OnceValues(func() ([]*cim.Class, error) {
	names, err := fs.Glob(schemaFiles, "schema/*.txt")
	if err != nil {
		return nil, err
	}
	r := &schemaReader{known: map[string]*cim.Class{}}
	for _, n := range append(schemaOrder, names...) {
		if n == schemaOrder[0] && len(r.all) > 0 {
			continue
		}
		text, err := schemaFiles.ReadFile(n)
		if err != nil {
			return nil, err
		}
		if err := r.read(n, string(text)); err != nil {
			return nil, err
		}
	}
	return r.all, nil
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

type schemaReader struct {
	known   map[string]*cim.Class
	all     []*cim.Class
	current *cim.Class
	sources []string
}

func (r *schemaReader) read(file, text string) error {
	for n, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		var err error
		switch {
		case fields[0] == "class":
			r.finish()
			err = r.class(fields[1:])
		case r.current == nil:
			err = fmt.Errorf("%q is outside a class", line)
		case fields[0] == "source":
			r.sources = append(r.sources, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "source")))
		case fields[0] == "method":
			err = r.method(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "method")))
		default:
			err = r.property(strings.TrimSpace(line))
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", file, n+1, err)
		}
	}
	r.finish()
	return nil
}

func (r *schemaReader) finish() {
	if r.current == nil {
		return
	}
	if len(r.sources) > 0 {
		r.current.Qualifiers = append(r.current.Qualifiers, cim.Qualifier{Name: "MappingStrings", Value: cim.Strs(r.sources)})
	}
	r.known[r.current.Name] = r.current.Seal()
	r.all = append(r.all, r.current)
	r.current, r.sources = nil, nil
}

func (r *schemaReader) class(words []string) error {
	c := &cim.Class{Name: words[0], Namespace: Namespace}
	words = words[1:]
	if len(words) > 1 && words[0] == ":" {
		super := r.known[words[1]]
		if super == nil {
			return fmt.Errorf("superclass %s of %s is not known", words[1], c.Name)
		}
		inherit(c, super)
		words = words[2:]
	}
	r.current = c
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "abstract":
			flag(&c.Qualifiers, "Abstract", 0)
		case "association":
			flag(&c.Qualifiers, "Association", cim.ToInstance|cim.ToSubClass|cim.NotOverridable)
		case "aggregation":
			flag(&c.Qualifiers, "Aggregation", cim.ToSubClass|cim.NotOverridable)
		case "singleton":
			flag(&c.Qualifiers, "Singleton", cim.ToInstance|cim.ToSubClass|cim.NotOverridable)
		case "dynamic":
			flag(&c.Qualifiers, "Dynamic", cim.ToInstance)
			c.Qualifiers = append(c.Qualifiers, cim.Qualifier{Name: "Provider", Value: cim.Str(ProviderName), Flavor: cim.ToInstance})
		case "createby":
			flag(&c.Qualifiers, "SupportsCreate", 0)
			c.Qualifiers = append(c.Qualifiers, cim.Qualifier{Name: "CreateBy", Value: cim.Str(value)})
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	return nil
}

// inherit copies what a subclass has from its superclass.
func inherit(c, super *cim.Class) {
	c.Superclass = super.Name
	c.Derivation = append([]string{super.Name}, super.Derivation...)
	c.Qualifiers = propagate(super.Qualifiers)
	for _, p := range super.Properties {
		p.Qualifiers = propagate(p.Qualifiers)
		c.Properties = append(c.Properties, p)
	}
	for _, m := range super.Methods {
		m.Qualifiers = propagate(m.Qualifiers)
		c.Methods = append(c.Methods, m)
	}
}

// propagate is what a subclass sees of qualifiers of its superclass.
func propagate(q cim.Qualifiers) cim.Qualifiers {
	var out cim.Qualifiers
	for _, e := range q {
		if e.Flavor&cim.ToSubClass != 0 {
			e.Flavor |= cim.Propagated
			out = append(out, e)
		}
	}
	return out
}

func flag(q *cim.Qualifiers, name string, f cim.Flavor) {
	*q = append(*q, cim.Qualifier{Name: name, Value: cim.Bool(true), Flavor: f})
}
