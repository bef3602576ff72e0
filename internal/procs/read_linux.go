package procs

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The files of a process are read and parsed by hand, into a buffer that is used again: a listing asks for four of
// each process, and with procfs that takes 180 allocations a process. The tests compare with procfs.

// scratch is what reading one process needs.
type scratch struct {
	dir  []byte // the folder of the process, with a slash behind it
	data []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{data: make([]byte, 4096)} }}

// maxFile bounds what is read of one file; command lines may be long.
const maxFile = 8 << 20

// open turns to the process pid below root.
func (s *scratch) open(root string, pid int) {
	s.dir = append(append(s.dir[:0], root...), '/')
	s.dir = append(strconv.AppendInt(s.dir, int64(pid), 10), '/')
}

func (s *scratch) path(name string) string { return string(append(s.dir, name...)) }

// read is a whole file, valid until the next call.
func (s *scratch) read(name string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return syscall.Open(s.path(name), syscall.O_RDONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	for n := 0; ; {
		if n == len(s.data) {
			if n >= maxFile {
				return nil, syscall.EFBIG
			}
			s.data = append(s.data, make([]byte, len(s.data))...)
		}
		m, err := retry(func() (int, error) { return syscall.Read(fd, s.data[n:]) })
		if err != nil {
			return nil, err
		}
		if m <= 0 {
			return s.data[:n], nil
		}
		n += m
	}
}

func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

var errFormat = errors.New("procs: a file of a process has another form than proc(5) says")

// parseStat reads /proc/[pid]/stat. The name may hold blanks, parentheses and line feeds: it ends at the last one.
// The start time is in ticks since boot.
func (p *Process) parseStat(b []byte) (start uint64, err error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open || len(b) < end+4 {
		return 0, errFormat
	}
	p.Name, p.State = string(b[open+1:end]), b[end+2]
	b = b[end+3:]
	var field [24]int64 // from ppid, which is the fourth field of the line, on
	for i := range field {
		var ok bool
		if field[i], b, ok = nextInt(b); !ok {
			if i < 21 {
				return 0, errFormat
			}
			break
		}
	}
	p.PPID, p.PGID, p.Session = int(field[0]), int(field[1]), int(field[2])
	p.MinorFaults, p.MajorFaults = uint64(field[6]), uint64(field[8])
	p.UserTime, p.SystemTime = ticks(field[10]), ticks(field[11])
	p.Priority, p.Nice, p.Threads = int(field[14]), int(field[15]), int(field[16])
	p.VirtualBytes = uint64(field[19])
	if field[20] > 0 {
		p.ResidentBytes = uint64(field[20]) * pageSize
	}
	p.Known |= Stat
	return uint64(field[18]), nil
}

func ticks(n int64) time.Duration {
	if n < 0 || n > math.MaxInt64/int64(tick) {
		return 0
	}
	return time.Duration(n) * tick
}

// nextInt takes a decimal number with blanks before it. What does not fit into 63 bits becomes the greatest number.
func nextInt(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	first := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		d := int64(b[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, b[i:], i > first
}

// parseStatus reads /proc/[pid]/status; false where it has no users, which no kernel leaves out.
func (p *Process) parseStatus(b []byte) bool {
	users := false
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		key, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		switch string(key) {
		case "Uid":
			p.UID, p.EUID = twoIDs(value)
			users = true
		case "Gid":
			p.GID, p.EGID = twoIDs(value)
		case "VmPeak":
			p.PeakVirtualBytes = kilobytes(value)
		case "VmHWM":
			p.PeakResidentBytes = kilobytes(value)
		case "RssAnon":
			p.AnonymousBytes = kilobytes(value)
		case "VmSwap":
			p.SwapBytes = kilobytes(value)
		}
	}
	return users
}

// twoIDs takes the real and the effective id.
func twoIDs(b []byte) (actual, effective uint32) {
	a, b, _ := nextInt(b)
	e, _, _ := nextInt(b)
	return uint32(a), uint32(e)
}

func kilobytes(b []byte) uint64 {
	n, _, _ := nextInt(b)
	if n < 0 || n > math.MaxInt64>>10 {
		return 0
	}
	return uint64(n) << 10
}

// parseIO reads /proc/[pid]/io; false where a line is missing.
func (p *Process) parseIO(b []byte) bool {
	found := 0
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		key, value, _ := bytes.Cut(line, []byte{':'})
		var to *uint64
		switch string(key) {
		case "rchar":
			to = &p.ReadChars
		case "wchar":
			to = &p.WriteChars
		case "syscr":
			to = &p.ReadCalls
		case "syscw":
			to = &p.WriteCalls
		case "read_bytes":
			to = &p.ReadBytes
		case "write_bytes":
			to = &p.WriteBytes
		default:
			continue
		}
		n, _, ok := nextInt(value)
		if !ok {
			return false
		}
		*to = uint64(n)
		found++
	}
	return found == 6
}

// parseCmdline splits the argument vector. An empty last argument stays.
func parseCmdline(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	text := string(bytes.TrimSuffix(b, []byte{0}))
	out := make([]string, 0, 1+bytes.Count(b[:len(text)], []byte{0}))
	for i := 0; i <= len(text); {
		end := i
		for end < len(text) && text[end] != 0 {
			end++
		}
		out = append(out, text[i:end])
		i = end + 1
	}
	return out
}
