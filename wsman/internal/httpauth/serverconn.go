package httpauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"io"
	"net"

	"github.com/casementhq/casement/auth"
)

// connState is what was proved on one TCP connection. It needs no lock: net/http serves the requests of an
// HTTP/1 connection one after the other, and nothing else holds it.
type connState struct {
	remote   net.Addr
	bindings *auth.ChannelBindings
	failures int

	scheme   string        // of the exchange
	acceptor auth.Acceptor // while the exchange goes on
	context  auth.Context  // once it is done

	basicMAC hash.Hash // the digest, under a fresh key for each connection
	basicSum []byte    // digest of the credentials that were verified
	basicID  auth.Identity
}

// forget drops every proof, and the secrets that came with it.
func (st *connState) forget() {
	for _, part := range []any{st.acceptor, st.context} {
		if c, ok := part.(io.Closer); ok {
			c.Close() //nolint:errcheck // nothing is left to be done about it
		}
	}
	st.scheme, st.acceptor, st.context = "", nil, nil
	st.basicSum, st.basicID = nil, auth.Identity{}
}

// remember keeps a keyed digest of verified credentials, not the credentials, so that the next request of
// this connection need not derive a password hash again.
func (st *connState) remember(credentials string, id auth.Identity) {
	if st.basicMAC == nil {
		key := make([]byte, sha256.Size)
		rand.Read(key) //nolint:errcheck // never fails
		st.basicMAC = hmac.New(sha256.New, key)
	}
	st.basicSum, st.basicID = st.digest(credentials), id
}

func (st *connState) remembered(credentials string) (auth.Identity, bool) {
	if st.basicSum == nil || !hmac.Equal(st.basicSum, st.digest(credentials)) {
		return auth.Identity{}, false
	}
	return st.basicID, true
}

func (st *connState) digest(credentials string) []byte {
	st.basicMAC.Reset()
	io.WriteString(st.basicMAC, credentials) //nolint:errcheck // never fails
	return st.basicMAC.Sum(nil)
}
