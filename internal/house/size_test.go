package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// mostBinary is how large the stripped binary for linux/amd64 may be, in octets: 46 MB of 2^20. 40 were planned, with 5 to 8 for the
// product's own code; that is about 15 by now, both ends of both transports, the doctor and the console together. ADR 9 has the parts.
const mostBinary = 46 << 20

func TestBinaryStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it links the whole program")
	}
	file := filepath.Join(t.TempDir(), "casement")
	c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./cmd/casement")
	c.Dir, c.Env = root(t), append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f MB", float64(info.Size())/(1<<20))
	if info.Size() > mostBinary {
		t.Errorf("the binary has %d octets, more than %d", info.Size(), mostBinary)
	}
}
