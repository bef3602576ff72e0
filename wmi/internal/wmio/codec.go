package wmio

import (
	"sync"

	"github.com/casementhq/casement/cim"
)

// Codec encodes and decodes, and remembers classes. The zero Codec is ready
// and may be used by many goroutines at once; it must not be copied, and its
// fields not be changed after the first use.
type Codec struct {
	// Server is the name that objects carry whose class names a namespace and
	// no server.
	Server string
	// SpellDefaults writes each value of an instance out, also where the class
	// has the same default. Without it such a value is a mark in the NdTable,
	// as in the example of [MS-WMIO] 3.1; some clients read NULL or 0 there.
	SpellDefaults bool
	// EmptySignatures writes a signature of length 0 for a method without
	// parameters in that direction, and not the reference to nothing; some
	// clients fail at the latter. Both are read. See [MS-WMIO] 2.2.70.
	EmptySignatures bool
	// MaxClasses and MaxOctets bound what is remembered; 0 means 2048 classes
	// and 32 MiB. What is forgotten is made, or read, anew.
	MaxClasses, MaxOctets int

	mu         sync.Mutex
	young, old generation
}

// What is remembered where nothing else is said.
const (
	defaultClasses = 2048
	defaultOctets  = 32 << 20
)

// generation are classes that were used at about the same time. When one is
// full, the one before it is forgotten; what is used again moves up.
type generation struct {
	byClass  map[*cim.Class]*layout
	byOctets map[string]*layout // head and ClassPart, as received with an instance
	octets   int
}

// received is the class that came with an instance in these octets.
func (k *Codec) received(octets []byte) *layout {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.young.byOctets[string(octets)]; l != nil {
		return l
	}
	l := k.old.byOctets[string(octets)]
	if l != nil {
		k.keep(l, string(octets))
	}
	return l
}

// known is the layout of a class that was encoded or decoded before.
func (k *Codec) known(c *cim.Class) *layout {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.young.byClass[c]; l != nil {
		return l
	}
	l := k.old.byClass[c]
	if l != nil {
		k.keep(l, "")
	}
	return l
}

// remember keeps a layout, and the octets it is known by where octets is not "".
func (k *Codec) remember(l *layout, octets string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(l, octets)
}

func (k *Codec) keep(l *layout, octets string) {
	classes, total := k.MaxClasses, k.MaxOctets
	if classes == 0 {
		classes = defaultClasses
	}
	if total == 0 {
		total = defaultOctets
	}
	g := &k.young
	if g.byClass == nil || len(g.byClass) >= classes/2 || g.octets+l.size() > total/2 {
		k.old = *g
		*g = generation{byClass: map[*cim.Class]*layout{}, byOctets: map[string]*layout{}}
	}
	if g.byClass[l.class] == nil {
		g.octets += l.size()
	}
	g.byClass[l.class] = l
	if octets != "" {
		g.byOctets[octets] = l
	}
}

// layout is the layout of a class for its instances; it is made once.
func (k *Codec) layout(c *cim.Class) (*layout, error) {
	if l := k.known(c); l != nil {
		return l, nil
	}
	l, err := k.compile(c)
	if err != nil {
		return nil, err
	}
	k.remember(l, "")
	return l, nil
}
