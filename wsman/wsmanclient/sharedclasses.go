package wsmanclient

import (
	"bytes"
	"hash/maphash"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// Classes are class definitions that several clients share. Each host is asked
// for its own, but a definition that comes in the same words from many hosts is
// read once and kept once. The zero value is ready and is safe for concurrent
// use.
type Classes struct {
	mu    sync.Mutex
	seed  maphash.Seed
	known map[uint64]sharedClass // by the hash of the words
	size  int                    // of all words, in octets
}

type sharedClass struct {
	words []byte
	class *cim.Class
}

// maxWords bounds the words that are kept, in octets. Beyond, all are forgotten.
const maxWords = 16 << 20

// wordMemory is where words lie until it is known whether they are new.
var wordMemory = sync.Pool{New: func() any { return new([]byte) }}

// words puts the answer of a host that has a class of a namespace, unread, into
// memory.
func words(memory []byte, namespace string, m *wsman.Message) []byte {
	return m.AppendUnread(append(append(memory[:0], namespace...), 0))
}

// find returns the class that these words define, nil where they are new.
func (s *Classes) find(words []byte) *cim.Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		return nil
	}
	if k := s.known[maphash.Bytes(s.seed, words)]; bytes.Equal(k.words, words) {
		return k.class
	}
	return nil
}

// keep remembers a class with the words that defined it.
func (s *Classes) keep(words []byte, class *cim.Class) {
	if len(words) > maxWords {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.size+len(words) > maxWords {
		s.known, s.seed, s.size = map[uint64]sharedClass{}, maphash.MakeSeed(), 0
	}
	key := maphash.Bytes(s.seed, words)
	s.size += len(words) - len(s.known[key].words)
	s.known[key] = sharedClass{bytes.Clone(words), class}
}
