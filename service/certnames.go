package service

import (
	"crypto/x509"
	"encoding/asn1"
	"unicode/utf8"
)

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidUPN            = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// maxNames bounds the names that are taken from one certificate.
const maxNames = 64

// subjectNames are the names of a certificate that a mapping's Subject is
// compared with: its user principal names and DNS names, or, where it has
// neither, the common name. understood tells that the alternative names could be
// read.
func subjectNames(c *x509.Certificate) (names []string, understood bool) {
	understood = true
	for _, e := range c.Extensions {
		if e.Id.Equal(oidSubjectAltName) {
			var upns []string
			upns, understood = principalNames(e.Value)
			names = append(names, upns...)
		}
	}
	names = append(names, c.DNSNames...)
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = []string{c.Subject.CommonName}
	}
	return names[:min(len(names), maxNames)], understood
}

// principalNames reads the user principal names out of a SubjectAltName: other
// names whose value is a UTF8String. ok is false where it is no sequence of
// names.
func principalNames(der []byte) (names []string, ok bool) {
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 || seq.Tag != asn1.TagSequence || seq.Class != asn1.ClassUniversal || !seq.IsCompound {
		return nil, false
	}
	for rest := seq.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return nil, false
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			continue
		}
		var id asn1.ObjectIdentifier
		value, err := asn1.Unmarshal(name.Bytes, &id)
		if err != nil {
			return nil, false
		}
		if !id.Equal(oidUPN) {
			continue
		}
		var inner, text asn1.RawValue
		if _, err := asn1.Unmarshal(value, &inner); err != nil || inner.Class != asn1.ClassContextSpecific || inner.Tag != 0 {
			return nil, false
		}
		if _, err := asn1.Unmarshal(inner.Bytes, &text); err != nil || text.Tag != asn1.TagUTF8String || text.Class != asn1.ClassUniversal {
			return nil, false
		}
		if upn := string(text.Bytes); upn != "" && utf8.ValidString(upn) && len(names) < maxNames {
			names = append(names, upn)
		}
	}
	return names, true
}
