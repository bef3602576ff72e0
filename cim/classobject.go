package cim

// ClassObject is a class definition in the place of an instance: what a schema
// query returns, and what class events embed. Its values are the defaults.
func ClassObject(c *Class) *Instance {
	i := NewInstance(c)
	i.definition = true
	return i
}

// IsClass tells whether i stands for its class itself (__GENUS 1) and not for
// an instance of it.
func (i *Instance) IsClass() bool { return i.definition }
