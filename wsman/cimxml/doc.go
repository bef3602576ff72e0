// Package cimxml carries the definitions of CIM classes over WS-Management in
// CIM-XML: Get on ResourceURI answers one class, Enumerate answers the paths of
// subclasses. See [MS-WSMV] 3.1.4.1.38, 3.1.4.2 and 3.1.4.8, DSP0227 section
// 15, and DSP0201 for the elements.
//
// Elements carry no namespace, as public clients expect them. What CIM-XML has
// no type for, an embedded object, is a string with the qualifier
// EmbeddedInstance or EmbeddedObject on the wire; here it is an object again.
package cimxml
