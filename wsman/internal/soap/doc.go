// Package soap reads and writes the XML 1.0 subset that SOAP 1.2 permits, as
// a stream of tokens over a byte slice.
//
// The reader is strict, because what it reads comes from a network: the bytes
// must be valid UTF-8 (or UTF-16, which is transcoded first) and XML
// characters, end tags must match, names and namespaces are checked,
// attributes may not repeat by expanded name, and depth, attribute count,
// name length and the number of namespaces are bounded. Document type
// declarations and entity declarations are refused, and so are processing
// instructions other than the XML declaration: SOAP 1.2 part 1 section 5
// permits neither. Comments are skipped. It allocates nothing per token.
//
// The writer appends to one byte slice and knows its size at all times, so
// that a batch can stop before MaxEnvelopeSize.
package soap
