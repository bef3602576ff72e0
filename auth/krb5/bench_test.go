package krb5

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"

	"github.com/casementhq/casement/auth"
)

// Seal and Unseal beside what gokrb5 alone needs for messages of the same size, turn by turn so that both meet the same machine: the
// metric of-gokrb5 is our rate by its rate.
func BenchmarkMessages(b *testing.B) {
	for _, name := range []string{"AES256-SHA1", "AES256-SHA2", "RC4"} {
		for _, size := range []int{4 << 10, 150 << 10} {
			for _, dce := range []bool{false, true} {
				l := newLocal(b, etypes[name])
				client, server := l.pair(dce)
				data := make([]byte, size)
				bufs := []auth.Buffer{{Data: data}}
				signature, err := client.Seal(bufs)
				if err != nil {
					b.Fatal(err)
				}
				sealed := append([]byte(nil), data...)
				theirs, err := encrypt(l.key, data, usageInitiatorSeal)
				if err != nil {
					b.Fatal(err)
				}
				beside(b, fmt.Sprintf("%s/%dK/dce=%v/seal", name, size>>10, dce), size, func() error {
					data[size-1] = 0
					_, err := client.Seal(bufs)
					return err
				}, func() error {
					_, err := crypto.GetEncryptedData(data, l.key, usageInitiatorSeal, 0)
					return err
				})
				beside(b, fmt.Sprintf("%s/%dK/dce=%v/unseal", name, size>>10, dce), size, func() error {
					copy(data, sealed)
					return server.in.unseal(bufs, signature, server.in.sequence)
				}, func() error {
					_, err := crypto.DecryptMessage(theirs.Cipher, l.key, usageInitiatorSeal)
					return err
				})
			}
		}
	}
}

func beside(b *testing.B, name string, size int, ours, theirs func() error) {
	b.Run(name, func(b *testing.B) {
		var spent [2][]time.Duration
		for b.Loop() {
			for i, f := range []func() error{ours, theirs} {
				start := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				spent[i] = append(spent[i], time.Since(start))
			}
		}
		var median [2]float64 // other programs on the machine disturb the mean
		for i := range spent {
			slices.Sort(spent[i])
			median[i] = spent[i][len(spent[i])/2].Seconds()
		}
		b.ReportMetric(float64(size)/median[0]/1e6, "MB/s")
		b.ReportMetric(median[1]/median[0], "of-gokrb5")
		b.ReportMetric(0, "ns/op")
	})
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
