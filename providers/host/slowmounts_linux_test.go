package host

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A server that does not answer costs two seconds and one goroutine, however often it is asked.
func TestMountsThatHang(t *testing.T) {
	dir := root(t, map[string]string{"proc/self/mountinfo": "20 1 8:2 / / rw - ext4 /dev/sda2 rw\n24 20 0:40 / /net rw - nfs srv:/export rw\n25 20 0:41 / /f rw - fuse.x x rw\n"})
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Root: dir})
		answer := make(chan struct{})
		var asked atomic.Int32
		p.system.statFS = func(path string) (fileSystem, error) {
			if path == "/net" {
				asked.Add(1)
				<-answer
			}
			return fileSystem{blockSize: 1024, blocks: 7}, nil
		}
		for range 3 {
			began := time.Now()
			got := all(t, p, "Win32_LogicalDisk", query{})
			if len(got) != 3 || time.Since(began) != statTimeout {
				t.Fatalf("%d disks after %v", len(got), time.Since(began))
			}
			expect(t, got[0], map[string]string{"Size": "7168"})
			expect(t, got[1], map[string]string{"DeviceID": "/net", "Size": "null", "FreeSpace": "null", "ProviderName": "srv:/export"})
			expect(t, got[2], map[string]string{"DeviceID": "/f", "Size": "7168"})
		}
		if asked.Load() != 1 {
			t.Errorf("the server was asked %d times", asked.Load())
		}
		close(answer)
		synctest.Wait()
		expect(t, all(t, p, "Win32_LogicalDisk", query{})[1], map[string]string{"Size": "7168"})
	})
}
