// Package wscim maps CIM values to the XML that WS-Management carries and back
// (DSP0230, and [MS-WSMV] 3.1.4.1.26 where Windows differs): instances, method
// parameters, references as endpoint references, datetimes.
//
// An Encoder knows one class and writes its instances with precomputed tags; a
// Decoder reads instances into typed values where it was given the class, and
// into text where it was not. Both stream over package soap and allocate per
// instance, not per property.
package wscim
