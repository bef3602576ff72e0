package krb5

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"

	"github.com/casementhq/casement/auth"
)

// Seal and Unseal beside what gokrb5 alone needs for messages of the same size.
func BenchmarkMessages(b *testing.B) {
	for _, name := range []string{"AES256-SHA1", "AES256-SHA2", "RC4"} {
		for _, size := range []int{4 << 10, 150 << 10} {
			for _, dce := range []bool{false, true} {
				client, server := newLocal(b, etypes[name]).pair(dce)
				data := make([]byte, size)
				bufs := []auth.Buffer{{Data: data}}
				b.Run(fmt.Sprintf("%s/%dK/dce=%v/seal", name, size>>10, dce), func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						data[size-1] = 0
						if _, err := client.Seal(bufs); err != nil {
							b.Fatal(err)
						}
					}
				})
				client, server = newLocal(b, etypes[name]).pair(dce)
				data[size-1] = 0
				signature, err := client.Seal(bufs)
				if err != nil {
					b.Fatal(err)
				}
				sealed := append([]byte(nil), data...)
				b.Run(fmt.Sprintf("%s/%dK/dce=%v/unseal", name, size>>10, dce), func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						copy(data, sealed)
						if err := server.in.unseal(bufs, signature, server.in.sequence); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			l := newLocal(b, etypes[name])
			plain := make([]byte, size)
			sealed, err := encrypt(l.key, plain, usageInitiatorSeal)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%dK/gokrb5/encrypt", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := crypto.GetEncryptedData(plain, l.key, usageInitiatorSeal, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%dK/gokrb5/decrypt", name, size>>10), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := crypto.DecryptMessage(sealed.Cipher, l.key, usageInitiatorSeal); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A whole exchange with a ticket at hand, both ends.
func BenchmarkHandshake(b *testing.B) {
	for _, dce := range []bool{false, true} {
		b.Run(fmt.Sprintf("dce=%v", dce), func(b *testing.B) {
			l := newLocal(b, etypeID.AES256_CTS_HMAC_SHA1_96)
			held := l.ticket(ticketOptions{})
			b.ReportAllocs()
			for b.Loop() {
				if err := converse(b, l.initiator(InitiatorOptions{DCE: dce}, held), l.acceptor(AcceptorOptions{DCE: dce})); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
	b.Run("acceptor alone", func(b *testing.B) {
		l := newLocal(b, etypeID.AES256_CTS_HMAC_SHA1_96)
		held := l.ticket(ticketOptions{})
		token, _, err := l.initiator(InitiatorOptions{}, held).Step(context.Background(), nil)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			l.replays.seen = map[[16]byte]time.Time{}
			if _, _, err := l.acceptor(AcceptorOptions{}).Step(context.Background(), token); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "verdicts/s")
	})
}
