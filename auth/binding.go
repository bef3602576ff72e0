package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
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

// Hardening says how much a service insists on channel bindings (WinRM: CbtHardeningLevel). It matters only
// where the service knows its own binding, that is under TLS. See [MS-WSMV] 2.2.4.34.
type Hardening int

// Levels of [Hardening].
const (
	// Relaxed checks a binding that was sent and permits its absence. It is the default.
	Relaxed Hardening = iota
	// None ignores bindings.
	None
	// Strict demands a matching binding.
	Strict
)

// String returns the level's name as WinRM's configuration spells it.
func (h Hardening) String() string {
	switch h {
	case None:
		return "None"
	case Strict:
		return "Strict"
	default:
		return "Relaxed"
	}
}

// Check compares the hash that a peer sent with the service's own binding. A hash of zeros counts as absent,
// and a nil binding (no TLS) makes every hash acceptable. The error is ErrBadBindings.
func (h Hardening) Check(own *ChannelBindings, sent [16]byte) error {
	if own == nil || h == None {
		return nil
	}
	if sent == ([16]byte{}) {
		if h == Strict {
			return ErrBadBindings
		}
		return nil
	}
	want := own.MD5()
	if subtle.ConstantTimeCompare(want[:], sent[:]) != 1 {
		return ErrBadBindings
	}
	return nil
}
