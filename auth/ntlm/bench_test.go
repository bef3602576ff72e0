package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
)

// Sealing beside what it is made of: RC4 over the message and HMAC-MD5 of it. The goal is 80 % of their rate.
func benchmarkSeal(b *testing.B, size int) {
	s := newSession(auth.Identity{}, initiatorFlags, make([]byte, 16), true, false)
	bufs := []auth.Buffer{{Data: make([]byte, size)}}
	cipher, err := rc4.NewCipher(make([]byte, 16))
	if err != nil {
		b.Fatal(err)
	}
	mac, sum := hmac.New(md5.New, make([]byte, 16)), make([]byte, 0, md5.Size)
	var bare time.Duration
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Seal(bufs); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		mac.Reset()
		mac.Write(bufs[0].Data)
		sum = mac.Sum(sum[:0])
		cipher.XORKeyStream(bufs[0].Data, bufs[0].Data)
		bare += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(bare)/float64(b.Elapsed()), "x-bare")
}

func BenchmarkSeal4K(b *testing.B)   { benchmarkSeal(b, 4<<10) }
func BenchmarkSeal150K(b *testing.B) { benchmarkSeal(b, 150<<10) }

// A whole exchange: both sides, three tokens.
func BenchmarkHandshake(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		i, a := pair("Pässword1")
		token, _, err := i.Step(b.Context(), nil)
		for turn := 0; err == nil && a.Context() == nil; turn++ {
			if token, _, err = a.Step(b.Context(), token); err == nil && a.Context() == nil {
				token, _, err = i.Step(b.Context(), token)
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
}
