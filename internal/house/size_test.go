package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// How large the stripped binary for linux/amd64 may be, in octets. 40 MB of 2^20 were planned for the full build and 25 for the one without the
// pool, with 5 to 8 for the product's own code; that is about 17 by now, both ends of both transports, the doctor and the console with its API together.
// ADR 9 has the parts.
const (
	mostBinary = 48 << 20
	mostSmall  = 27 << 20
)

func TestBinaryStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("it links the whole program")
	}
	for _, build := range []struct {
		name string
		args []string
		most int64
	}{{"full", nil, mostBinary}, {"without the pool", []string{"-tags=nonats"}, mostSmall}} {
		t.Run(build.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "casement")
			c := exec.Command("go", append(append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", file}, build.args...), "./cmd/casement")...)
			c.Dir, c.Env = root(t), append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.2f MB", float64(info.Size())/(1<<20))
			if info.Size() > build.most {
				t.Errorf("the binary has %d octets, more than %d", info.Size(), build.most)
			}
			out, err := exec.Command(file, "pool", "list", "--state", t.TempDir()).CombinedOutput()
			if without := strings.Contains(string(out), "without the pool"); without != (build.args != nil) || (err != nil) != without {
				t.Errorf("pool list: %v: %s", err, out)
			}
		})
	}
}
