package wmiclient

import (
	"encoding/binary"
	"net"
	"testing"
)

// FuzzFrame: whatever a local program sends, the host of sinks reads a frame or fails.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00{}"))
	f.Add([]byte("\x0c\x00\x00\x00{\"Result\":1}"))
	f.Add(binary.LittleEndian.AppendUint32(nil, maxFrame+1))
	f.Add([]byte("\xff\xff\x7f\x00{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			far.Write(b) //nolint:errcheck // the other end may have enough
			far.Close()
		}()
		for r := newFrames(near); ; {
			if _, err := r.receive(); err != nil {
				return
			}
		}
	})
}
