//go:build unix

package wsmanbench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// BenchmarkCopy copies a file of 50 MB to a service and from it, as casement cp
// does, checksums included: sealed over HTTP, and over HTTPS.
func BenchmarkCopy(b *testing.B) {
	size := 50_000_000
	if quick() {
		size = 1_000_000
	}
	s := casementtest.New(b, casementtest.Options{})
	dir, err := os.MkdirTemp("", "casement-bench-")
	check(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	check(b, os.Chmod(dir, 0o777)) // #nosec G302 -- the service's commands run as another user when root tests
	from := filepath.Join(dir, "from")
	data := make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(data)
	check(b, os.WriteFile(from, data, 0o600))
	far, back := filepath.Join(dir, "far"), filepath.Join(dir, "back")
	for _, v := range []struct{ name, url string }{{"sealed", s.HTTP}, {"https", s.HTTPS}} {
		b.Run(v.name, func(b *testing.B) {
			c, err := casement.Dial(b.Context(), v.url, casement.Options{User: s.User, Password: s.Password, HostsFile: "-",
				TLS: wsmanclient.TLSOptions{SHA256: s.Thumbprint}})
			check(b, err)
			defer c.Close()
			var to, out time.Duration
			for b.Loop() {
				_ = os.Remove(far)
				_ = os.Remove(back)
				began := time.Now()
				_, err := c.CopyTo(b.Context(), from, far, casement.CopyOptions{})
				check(b, err)
				to += time.Since(began)
				began = time.Now()
				_, err = c.CopyFrom(b.Context(), far, back, casement.CopyOptions{})
				check(b, err)
				out += time.Since(began)
			}
			mb := float64(b.N) * float64(size) / 1e6
			b.ReportMetric(mb/to.Seconds(), "to-MB/s")
			b.ReportMetric(mb/out.Seconds(), "from-MB/s")
		})
	}
}
