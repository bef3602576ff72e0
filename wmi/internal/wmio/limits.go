package wmio

import "github.com/casementhq/casement/cim"

// The limits of what is decoded, beside those of a class in package cim.
const (
	// maxClassPart is the octets of one class.
	maxClassPart = 1 << 20
	// maxDepth is how deep objects lie in objects.
	maxDepth = 16
	// maxObjects is the objects of one packet.
	maxObjects = 65_536
	// maxClassIDs is the classes that one enumeration may name.
	maxClassIDs = 4096
	// growth is the octets of memory that one octet received may cost; an
	// array of octets costs a cim.Value for each.
	growth = 64
	// allowance is what an object may cost however short it is.
	allowance = 64 << 10
	// maxCost is what an object or a packet may cost however long it is: a
	// client reads answers of 64 MiB.
	maxCost = 256<<20 + allowance
)

// What decoded things cost, in octets of memory, on a 64-bit machine.
const (
	costValue     = 40
	costQualifier = 64 + costValue
	costProperty  = 160 + 2*costValue
	costMethod    = 256
	costObject    = 256
)

// budget is what decoding may still cost. Every item of a heap may be named
// any number of times by a hostile sender, so what is charged is the use and
// not the item.
type budget int

func newBudget(octets int) budget { return budget(min(int64(octets)*growth+allowance, maxCost)) }

func (b *budget) charge(cost int) error {
	if cost < 0 || cost > int(*b) {
		return malformed("the object is much larger than its octets")
	}
	*b -= budget(cost)
	return nil
}

// malformed is the error of octets that are no object.
func malformed(why string) error {
	return &cim.Error{Status: cim.ErrInvalidObject, Detail: why}
}
