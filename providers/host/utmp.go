package host

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// utmpUser is the type of a record of utmp(5) about a user who is logged in: USER_PROCESS.
const utmpUser = 7

// utmpRecord is a record of utmp(5).
type utmpRecord struct {
	kind             int16
	pid              int32
	line, user, host string
	at               time.Time
}

// utmpLayout is where the fields behind the host stand. The ABIs with a 32-bit one beside them keep 32-bit times.
var utmpLayout = func() (l struct{ size, seconds, microseconds, width int }) {
	switch runtime.GOARCH {
	case "arm64", "riscv64", "loong64":
		l.size, l.seconds, l.microseconds, l.width = 400, 344, 352, 8
	default:
		l.size, l.seconds, l.microseconds, l.width = 384, 340, 344, 4
	}
	return l
}()

// utmp calls f with the records of a file in the format of utmp(5), from the first to the last.
func (p *Provider) utmp(path string, f func(*utmpRecord)) error {
	file, err := os.Open(filepath.Join(p.root, path))
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 64<<10)
	b := make([]byte, utmpLayout.size)
	for {
		if _, err := io.ReadFull(r, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
		u := parseUtmp(b)
		f(&u)
	}
}

func parseUtmp(b []byte) utmpRecord {
	text := func(from, to int) string {
		s, _, _ := bytes.Cut(b[from:to], []byte{0})
		return string(s)
	}
	number := func(at int) int64 {
		if utmpLayout.width == 8 {
			return int64(binary.NativeEndian.Uint64(b[at:]))
		}
		return int64(int32(binary.NativeEndian.Uint32(b[at:])))
	}
	return utmpRecord{
		kind: int16(binary.NativeEndian.Uint16(b)), pid: int32(binary.NativeEndian.Uint32(b[4:])),
		line: text(8, 40), user: text(44, 76), host: text(76, 332),
		at: time.Unix(number(utmpLayout.seconds), number(utmpLayout.microseconds)*int64(time.Microsecond)),
	}
}
