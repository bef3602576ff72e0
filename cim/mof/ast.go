package mof

import "github.com/casementhq/casement/cim"

// File is a text that was parsed, with what it included.
type File struct {
	Name    string
	Objects []Object // in the order of the text
	// Autorecover is #pragma autorecover: the text is to be compiled again
	// when the repository is rebuilt.
	Autorecover bool
	// Amendment is the locale of #pragma amendment, "MS_409"; "" without one.
	Amendment string
}

// Object is one thing to do: store a class or an instance, or delete one.
// Exactly one of Class, Instance and Delete is set.
type Object struct {
	Position
	// Namespace is that of the last #pragma namespace, "root\cimv2"; "" where
	// there was none.
	Namespace     string
	ClassFlags    Flags // of the last #pragma classflags
	InstanceFlags Flags // of the last #pragma instanceflags
	Class         *Class
	Instance      *Instance
	Delete        *Deletion
}

// Flags say which objects may be written. See spec/wmi.md 2.9 and 7.2.
type Flags uint8

// The flags of -class:, -instance: and of the pragmas.
const (
	CreateOnly  Flags = 1 << iota // an object that exists is an error
	UpdateOnly                    // an object that does not exist is an error
	SafeUpdate                    // classes: change a class with subclasses where nothing stands against it
	ForceUpdate                   // classes: and drop what stands against it
)

// Class is the declaration of a class.
type Class struct {
	Alias string // without the dollar sign; "" without one
	// Declared has the name, the superclass, the qualifiers, and the
	// properties and methods that the text declares; it is not sealed.
	Declared *cim.Class
	// Defaults are the values of properties that need other objects: aliases
	// and embedded instances, in the order of the properties. Plain ones stand
	// in Declared.
	Defaults []Assignment
}

// Instance is the declaration of an instance.
type Instance struct {
	Position
	Alias      string
	Class      string
	Qualifiers cim.Qualifiers
	Values     []Assignment
}

// Assignment gives a property its value, or only qualifiers: a property
// provider then has the value.
type Assignment struct {
	Position
	Property   string
	Qualifiers cim.Qualifiers
	NoValue    bool // Value is not given
	Value      Initializer
}

// Initializer is a value as the text writes it. At most one of Elems, Alias
// and Instance is set; otherwise it is Constant, which may be NULL.
type Initializer struct {
	Position
	// Constant is a string, sint64, uint64 (beyond sint64), real64, boolean,
	// char16 or an untyped NULL.
	Constant cim.Value
	IsArray  bool
	Elems    []Initializer
	Alias    string // without the dollar sign
	Instance *Instance
}

// Deletion is #pragma deleteclass or deleteinstance.
type Deletion struct {
	Class  string         // deleteclass: its name
	Path   cim.ObjectPath // deleteinstance: the object
	NoFail bool           // what does not exist is no error
}
