package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
)

// ChannelBindings tie an exchange to the TLS channel that carries it. A nil pointer means none.
type ChannelBindings struct {
	// ApplicationData is the binding's prefix and value, such as "tls-server-end-point:" and a hash.
	ApplicationData []byte
}

// TLSServerEndPoint returns the binding to the server's certificate: its DER bytes hashed with the hash of
// its own signature algorithm, SHA-256 standing in for MD5, SHA-1 and every algorithm without a single
// known hash. It returns nil for a nil certificate. See [RFC5929] 4.1.
func TLSServerEndPoint(cert *x509.Certificate) *ChannelBindings {
	if cert == nil {
		return nil
	}
	data := []byte("tls-server-end-point:")
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		sum := sha512.Sum384(cert.Raw)
		data = append(data, sum[:]...)
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		sum := sha512.Sum512(cert.Raw)
		data = append(data, sum[:]...)
	default:
		sum := sha256.Sum256(cert.Raw)
		data = append(data, sum[:]...)
	}
	return &ChannelBindings{ApplicationData: data}
}

// MD5 returns the hash that NTLM and Kerberos carry: MD5 over the little-endian form of the structure
// gss_channel_bindings_struct whose addresses are absent. It is all zero for nil, which both protocols
// read as "no binding". See [RFC4121] 4.1.1.2 and [MS-NLMP] 2.2.2.1.
func (b *ChannelBindings) MD5() [16]byte {
	if b == nil {
		return [16]byte{}
	}
	buf := make([]byte, 20, 20+len(b.ApplicationData))
	binary.LittleEndian.PutUint32(buf[16:], uint32(len(b.ApplicationData)))
	return md5.Sum(append(buf, b.ApplicationData...))
}
