package casement_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
)

// BenchmarkCopy copies 50 MB to the service and back, sealed, checksums
// included.
func BenchmarkCopy(b *testing.B) {
	s := casementtest.New(b, casementtest.Options{})
	c := dial(b, s.HTTP, casement.Options{User: s.User, Password: s.Password})
	far, err := os.MkdirTemp("", "casement-far-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(far)
	if err := os.Chmod(far, 0o777); err != nil { //nolint:gosec // the commands run as another user
		b.Fatal(err)
	}
	data := make([]byte, 50<<20)
	rand.Read(data) //nolint:errcheck // never fails
	src := filepath.Join(b.TempDir(), "src")
	if err := os.WriteFile(src, data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("to", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := c.CopyTo(b.Context(), src, far+"/f", casement.CopyOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("from", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := c.CopyFrom(b.Context(), far+"/f", src+".back", casement.CopyOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
