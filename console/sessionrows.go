package console

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/casementhq/casement/internal/store"
)

// sessionPrefix begins the keys of sessions; what follows is the hash of a token.
const sessionPrefix = "session/"

// tombstone is how long a token that was ended stays refused, so that a request
// which was under way meanwhile cannot bring its session back.
const tombstone = 5 * time.Minute

// sessionRows keeps sessions in the console's store. A value is the expiry, in
// nanoseconds since 1970, and what scs wrote. It implements scs.CtxStore.
type sessionRows struct {
	db *store.Store

	mu   sync.Mutex
	gone map[string]time.Time
}

var errNoContext = errors.New("sessions are read with a context")

// Find, Delete and Commit are not used: scs asks a CtxStore by the methods below.
func (s *sessionRows) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (s *sessionRows) Delete(string) error                    { return errNoContext }
func (s *sessionRows) Commit(string, []byte, time.Time) error { return errNoContext }

// FindCtx implements scs.CtxStore.
func (s *sessionRows) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		v, err := tx.Get([]byte(sessionPrefix + token))
		if err != nil || len(v) < 8 || !time.Now().Before(expiryOf(v)) {
			return err
		}
		data, found = bytes.Clone(v[8:]), true
		return nil
	})
	return data, found, err
}

// CommitCtx implements scs.CtxStore. A token that was ended stays so.
func (s *sessionRows) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ended := s.gone[token]; ended {
		return nil
	}
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(data)), uint64(expiry.UnixNano()))
	return s.db.Update(ctx, func(tx *store.Tx) error { return tx.Put([]byte(sessionPrefix+token), append(v, data...)) })
}

// DeleteCtx implements scs.CtxStore.
func (s *sessionRows) DeleteCtx(ctx context.Context, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for t, at := range s.gone {
		if now.Sub(at) > tombstone {
			delete(s.gone, t)
		}
	}
	s.gone[token] = now
	return s.db.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.Delete([]byte(sessionPrefix + token)) })
}

func expiryOf(v []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(v))) } // #nosec G115 -- what CommitCtx wrote

// ended is a session that ended by itself.
type ended struct{ id, user string }

// sweep takes sessions out whose time is over.
func (s *sessionRows) sweep(ctx context.Context, codec scs.Codec) (list []ended, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var keys [][]byte
	err = s.db.View(ctx, func(tx *store.Tx) error {
		cur := tx.Cursor([]byte(sessionPrefix))
		for ok := cur.Seek([]byte(sessionPrefix)); ok; ok = cur.Next() {
			v := cur.Value()
			if len(v) >= 8 && now.Before(expiryOf(v)) {
				continue
			}
			keys = append(keys, bytes.Clone(cur.Key()))
			if len(v) >= 8 {
				if _, values, err := codec.Decode(v[8:]); err == nil {
					id, _ := values[keyID].(string)
					user, _ := values[keyUser].(string)
					list = append(list, ended{id, user})
				}
			}
		}
		return cur.Err()
	})
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	return list, s.db.Update(ctx, func(tx *store.Tx) error {
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}
