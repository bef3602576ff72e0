package krb5

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// maxReplays is how many proofs are remembered at once, at about 64 bytes each. Only proofs that were valid get in, so this is
// more than 3,000 sign-ins a second over five minutes.
const maxReplays = 1 << 20

// Replays remembers the proofs that were accepted until they are too old to be accepted again. One for the process: a proof that was
// seen on one connection is refused on every other. It is safe for concurrent use.
type Replays struct {
	mu    sync.Mutex
	seen  map[[16]byte]time.Time // until when
	swept time.Time
}

// NewReplays is empty.
func NewReplays() *Replays { return &Replays{seen: map[[16]byte]time.Time{}} }

var (
	errReplay = errors.New("this proof was presented before")
	errFull   = errors.New("too many sign-ins within five minutes")
)

// add remembers an encrypted authenticator. Its confounder makes each one unique, and its checksum any change of it invalid.
func (r *Replays) add(authenticator []byte, now, until time.Time) error {
	sum := sha256.Sum256(authenticator)
	id := [16]byte(sum[:16])
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := time.Minute
	if len(r.seen) >= maxReplays {
		pause = time.Second // a sweep looks at all of them
	}
	if now.Sub(r.swept).Abs() > pause {
		for k, t := range r.seen {
			if now.After(t) {
				delete(r.seen, k)
			}
		}
		r.swept = now
	}
	if _, known := r.seen[id]; known {
		return errReplay
	}
	if len(r.seen) >= maxReplays {
		return errFull
	}
	r.seen[id] = until
	return nil
}
