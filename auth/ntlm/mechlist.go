package ntlm

import (
	"crypto/subtle"

	"github.com/casementhq/casement/auth"
)

// unsigned is the signature of a session that agreed on nothing but the "always sign" flag.
// See [MS-NLMP] 3.4.4.3.
var unsigned = [signatureSize]byte{0: 1}

// NeedsMechListMIC reports whether SPNEGO has to protect its list of mechanisms: Windows demands it whenever
// the AUTHENTICATE message carries a MIC, even if the first mechanism was taken. See [MS-SPNG] 3.3.5.1.
func (s *Session) NeedsMechListMIC() bool { return s.mic }

// SignMechList signs SPNEGO's list of mechanisms and then starts the outgoing cipher anew, while the sequence
// number goes on. See [MS-SPNG] 3.3.5.1.
func (s *Session) SignMechList(list []byte) ([]byte, error) {
	if s.out == nil {
		return append([]byte(nil), unsigned[:]...), nil
	}
	sig, err := s.Sign([]auth.Buffer{{Data: list}})
	s.out.cipher = newRC4(s.out.key)
	return sig, err
}

// VerifyMechList checks the peer's signature of that list and starts the incoming cipher anew.
func (s *Session) VerifyMechList(list, mic []byte) error {
	if s.in == nil {
		if subtle.ConstantTimeCompare(unsigned[:], mic) != 1 {
			return badToken("signature of the mechanism list in a session without signatures")
		}
		return nil
	}
	err := s.Verify([]auth.Buffer{{Data: list}}, mic)
	s.in.cipher = newRC4(s.in.key)
	return err
}
