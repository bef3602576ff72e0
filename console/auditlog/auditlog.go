// Package auditlog is the record of who did what with the console: lines of JSON
// in a file, each with the hash of the one before it, so that a line that was
// changed, moved or taken out of the middle shows. See spec/console.md 4.
//
// A record is on the disk when Append returns. Whoever may write the file can
// make a new chain, or cut its end off: the log of a machine that matters is
// copied away.
package auditlog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Entry is one line. ID is that of the request; the line that is written before
// an action and the one after it share it.
type Entry struct {
	Time       time.Time         `json:"time"`
	ID         string            `json:"id"`
	User       string            `json:"user"`
	SID        string            `json:"sid,omitempty"`
	Role       string            `json:"role,omitempty"`
	From       string            `json:"from,omitempty"`
	Action     string            `json:"action"`
	Targets    []string          `json:"targets,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"` // without secrets
	Account    string            `json:"account,omitempty"`    // as whom the server was reached
	Transport  string            `json:"transport,omitempty"`
	Result     string            `json:"result"` // Begun, Done, Failed, Denied
	Code       string            `json:"code,omitempty"`
	Words      string            `json:"words,omitempty"` // of the code, or why it failed
	TookMS     int64             `json:"took_ms,omitempty"`
	Work       string            `json:"work,omitempty"`
}

// The results of an entry.
const (
	Begun  = "begun" // the line before the action
	Done   = "done"
	Failed = "failed"
	Denied = "denied"
)

// maxLine bounds a line in bytes.
const maxLine = 1 << 20

// chained is a line without its hash.
type chained struct {
	Prev string `json:"prev"`
	Entry
}

const hashField = `,"hash":"`

// Log is an open log. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	file *os.File
	prev string
	size int64 // what is known to be whole lines
	bad  error // why nothing more is written
}

// Open opens the log in a file, which it makes for its owner alone where there is
// none, and checks its last line. A line that a crash cut short is taken off: its
// action was not done.
func Open(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) // #nosec G304 -- the caller's own folder
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := &Log{file: f}
	if err := l.readEnd(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the audit log %s: %w", path, err), f.Close())
	}
	return l, nil
}

func (l *Log) readEnd() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	from := max(0, info.Size()-maxLine-1)
	tail := make([]byte, info.Size()-from)
	if _, err := l.file.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	whole := bytes.LastIndexByte(tail, '\n') + 1
	if whole == 0 && from > 0 {
		return errors.New("it has no line in its last megabyte")
	}
	if whole < len(tail) {
		if err := l.file.Truncate(from + int64(whole)); err != nil {
			return err
		}
	}
	l.size = from + int64(whole)
	if whole == 0 {
		return nil
	}
	last := tail[:whole-1]
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	_, l.prev, err = open(last)
	return err
}

// Append writes an entry. Its line is on the disk when Append returns nil; after a
// failure nothing is ever written again until the log is opened anew, unless what
// was written by half could be taken back.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bad != nil {
		return l.bad
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	line, hash, err := seal(l.prev, e)
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	if _, err = l.file.Write(line); err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		if cut := l.file.Truncate(l.size); cut != nil {
			l.bad = fmt.Errorf("write the audit log: %w", err)
		}
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.prev = hash
	l.size += int64(len(line))
	return nil
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad = errors.New("the audit log is closed")
	return l.file.Close()
}

// Reader reads the log as it is now.
func (l *Log) Reader() io.Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return io.NewSectionReader(l.file, 0, l.size)
}

// Newest are the last entries, the newest first: at most n of those that keep
// wants, out of the last 8 MB of the log.
func (l *Log) Newest(n int, keep func(Entry) bool) ([]Entry, error) {
	l.mu.Lock()
	size := l.size
	l.mu.Unlock()
	const window = 8 << 20
	from := max(0, size-window)
	buf := make([]byte, size-from)
	if _, err := l.file.ReadAt(buf, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var list []Entry
	for len(buf) > 0 && len(list) < n {
		buf = bytes.TrimSuffix(buf, []byte("\n"))
		at := bytes.LastIndexByte(buf, '\n')
		if at < 0 && from > 0 {
			break // a part of a line
		}
		e, _, err := open(buf[at+1:])
		if err != nil {
			return list, fmt.Errorf("read the audit log: %w", err)
		}
		if keep == nil || keep(e) {
			list = append(list, e)
		}
		buf = buf[:at+1]
	}
	return list, nil
}

// seal makes the line of an entry.
func seal(prev string, e Entry) (line []byte, hash string, err error) {
	b, err := json.Marshal(chained{prev, e})
	if err != nil {
		return nil, "", err
	}
	b = b[:len(b)-1] // without }
	if len(b) > maxLine-100 {
		return nil, "", errors.New("the entry is too long")
	}
	sum := sha256.Sum256(b)
	hash = hex.EncodeToString(sum[:])
	return append(append(append(b, hashField...), hash...), '"', '}', '\n'), hash, nil
}

// open reads a line and checks its own hash.
func open(line []byte) (c Entry, hash string, err error) {
	all, hash, err := openChained(line)
	return all.Entry, hash, err
}

func openChained(line []byte) (c chained, hash string, err error) {
	at := bytes.LastIndex(line, []byte(hashField))
	if at < 0 || len(line) != at+len(hashField)+2*sha256.Size+2 {
		return c, "", errors.New("a line has no hash")
	}
	sum := sha256.Sum256(line[:at])
	hash = hex.EncodeToString(sum[:])
	if hash != string(line[at+len(hashField):len(line)-2]) || string(line[len(line)-2:]) != `"}` {
		return c, "", errors.New("a line is not what was written")
	}
	body := append(bytes.Clone(line[:at]), '}')
	if err := json.Unmarshal(body, &c); err != nil {
		return c, "", fmt.Errorf("a line is no entry: %w", err)
	}
	return c, hash, nil
}

// Verify reads a log and says how many lines are as they were written. Its error
// names the first line that is not, or that does not follow the one before it.
func Verify(r io.Reader) (lines int, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	prev := ""
	for s.Scan() {
		c, hash, err := openChained(s.Bytes())
		if err != nil {
			return lines, fmt.Errorf("line %d: %w", lines+1, err)
		}
		if c.Prev != prev {
			return lines, fmt.Errorf("line %d does not follow line %d: a line between them is missing, or was moved", lines+1, lines)
		}
		prev = hash
		lines++
	}
	return lines, s.Err()
}
