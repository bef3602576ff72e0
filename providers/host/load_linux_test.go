package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoadPercentage(t *testing.T) {
	cpuinfo := "processor\t: 0\nvendor_id\t: X\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu\n\nprocessor\t: 1\nvendor_id\t: X\nphysical id\t: 0\ncore id\t\t: 1\nflags\t\t: fpu\n"
	ticks := func(busy0, idle0, busy1, idle1 int) string {
		return fmt.Sprintf("cpu  1 0 0 1 0 0 0 0 0 0\ncpu0 %d 0 0 %d 0 0 0 0 0 0\ncpu1 0 0 %d %d 0 0 0 0 0 0\nbtime 1\n", busy0, idle0, busy1, idle1)
	}
	dir := root(t, map[string]string{"proc/cpuinfo": cpuinfo, "proc/stat": ticks(100, 100, 0, 0)})
	set := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "proc/stat"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Root: dir})
		measure := func(want string, wait time.Duration) {
			t.Helper()
			began := time.Now()
			expect(t, only(t, p, "Win32_Processor", query{}), map[string]string{"LoadPercentage": want})
			if took := time.Since(began); took != wait {
				t.Errorf("it took %v, want %v", took, wait)
			}
		}
		go func() {
			time.Sleep(loadSpan / 2)
			set(ticks(150, 150, 25, 75)) // 50 % and 25 %
		}()
		measure("38", loadSpan)
		measure("38", 0) // within a second: the same
		time.Sleep(2 * loadSpan)
		set(ticks(250, 150, 125, 75)) // both busy
		measure("100", 0)
		time.Sleep(2 * loadKeep)
		ctx, cancel := context.WithTimeout(context.Background(), loadSpan/10)
		defer cancel()
		if got := p.loads.measure(ctx, p); got != nil {
			t.Errorf("a measurement that was given up gives %v", got)
		}
	})
}
