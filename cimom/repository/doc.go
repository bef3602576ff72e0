// Package repository stores what users put into the object manager: namespaces
// with their attributes, class declarations and static instances. Built-in
// classes are not its business; see docs/objects.md.
//
// # The file
//
// One file holds everything, in package store. Keys are
//
//	m                                          the format of the file
//	n namespace                                a namespace, twice: also under N
//	c namespace 0 class                        a declaration, or the mark of a deleted built-in class
//	l hash                                     the names and types of a class version, twice: also under L
//	i namespace 0 class 0 keys                 an instance
//	j namespace 0 class                        which properties of the class are indexed
//	x namespace 0 class 0 property 0 hash keys an entry of a secondary index
//
// with the names in lower case, so that a record tells by its key alone whose it
// is. Every record carries a version and the CRC-32C of its key and itself:
// damage fails the operation that meets it and names the object.
//
// An instance refers to the names and types of the properties that its class had
// when it was written. A class may gain and lose properties: a missing one reads
// as its default, one that is gone is ignored, one of another type is converted.
package repository
