package host

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxJournalLine bounds an entry of the journal as JSON, in bytes; a longer one is passed over. journald itself
// bounds a field to 768 MiB, which nobody should have to hold.
const maxJournalLine = 1 << 20

// journalDirs are where journald keeps its files: for good, or until the machine stops.
var journalDirs = []string{"var/log/journal", "run/log/journal"}

// journalFiles are the files of the journal of this machine; none where there is no journal.
func (p *Provider) journalFiles() []string {
	for _, dir := range journalDirs {
		files, _ := filepath.Glob(filepath.Join(p.root, dir, "*", "*.journal*"))
		if len(files) > 0 {
			return files
		}
	}
	return nil
}

// journal runs journalctl with the arguments and calls f with each line that it prints, which f must not keep. The
// program ends before journal returns: when ctx ends, when f fails, or by itself. Without a journal there are no lines.
func (p *Provider) journal(ctx context.Context, f func(line []byte) error, args ...string) error {
	program := p.o.Journalctl
	if program == "" {
		program = "journalctl"
	}
	program, err := exec.LookPath(program)
	if err != nil || len(p.journalFiles()) == 0 {
		return nil //nolint:nilerr // a machine without journald
	}
	args = append([]string{"--no-pager", "--quiet"}, args...)
	if p.root != "/" {
		args = append(args, "--root="+p.root)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = []string{"LC_ALL=C", "TZ=UTC", "SYSTEMD_COLORS=0", "PATH=" + os.Getenv("PATH")}
	c.WaitDelay = time.Second // for a child of the child that keeps the pipe
	said := &firstBytes{left: 1 << 10}
	c.Stderr = said
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	err = boundedLines(out, f)
	if err != nil {
		cancel()
	}
	waited := c.Wait()
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case waited != nil:
		return fmt.Errorf("%s: %w: %s", program, waited, said.b.String())
	}
	return nil
}

// firstBytes keeps the beginning of what is written.
type firstBytes struct {
	b    bytes.Buffer
	left int
}

func (w *firstBytes) Write(b []byte) (int, error) {
	n := min(len(b), w.left)
	w.left -= n
	w.b.Write(b[:n])
	return len(b), nil
}

// boundedLines calls f with each line that is no longer than maxJournalLine.
func boundedLines(r io.Reader, f func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	tooLong := false
	for {
		part, err := in.ReadSlice('\n')
		if !tooLong {
			if tooLong = len(line)+len(part) > maxJournalLine; !tooLong {
				line = append(line, part...)
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text := bytes.TrimSpace(line); len(text) > 0 && !tooLong {
			if err := f(text); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, tooLong = line[:0], false
	}
}

// Fields of an entry that are read, in the order of journalFields; its address comes with it.
const (
	fieldMessage = iota
	fieldMessageID
	fieldPriority
	fieldIdentifier
	fieldFacility
	fieldCommand
	fieldUID
	fieldHost
	fieldTransport
	fieldSourceTime
	fieldAuditType
	fieldCursor
	fieldTime
	fieldCount
)

// journalFields are the fields that journalctl is asked for.
var journalFields = fieldNames[:fieldCursor]

var fieldNames = [fieldCount]string{"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "_COMM", "_UID", "_HOSTNAME",
	"_TRANSPORT", "_SOURCE_REALTIME_TIMESTAMP", "_AUDIT_TYPE", "__CURSOR", "__REALTIME_TIMESTAMP"}

// entryFields are the arguments that make journalctl print entries with some fields.
func entryFields(names ...string) []string {
	return []string{"--output=json", "--all", "--output-fields=" + strings.Join(names, ",")}
}

// rawEntry is an entry as it was printed: the JSON of the values of its fields, which are parts of the line.
type rawEntry [fieldCount][]byte

// parse finds the fields in a line: one JSON object. It allocates nothing, so that entries that nobody wants cost
// little; what a value means is read later.
func (r *rawEntry) parse(line []byte) bool {
	*r = rawEntry{}
	rest, ok := bytes.CutPrefix(line, []byte{'{'})
	for ok && len(rest) > 0 {
		var key, value []byte
		if key, rest, ok = jsonToken(trimJSON(rest)); !ok || key[0] != '"' {
			return false
		}
		if rest, ok = bytes.CutPrefix(trimJSON(rest), []byte{':'}); !ok {
			return false
		}
		if value, rest, ok = jsonToken(trimJSON(rest)); !ok {
			return false
		}
		for n := range fieldNames {
			if string(key[1:len(key)-1]) == fieldNames[n] {
				r[n] = value
				break
			}
		}
		rest = trimJSON(rest)
		if string(rest) == "}" {
			return true
		}
		rest, ok = bytes.CutPrefix(rest, []byte{','})
	}
	return false
}

func trimJSON(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// jsonToken cuts one value off: a text, an array (whose brackets are counted), or a word.
func jsonToken(b []byte) (token, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	depth, quoted := 0, false
	for n := 0; n < len(b); n++ {
		switch c := b[n]; {
		case quoted && c == '\\':
			n++
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return b[:n+1], b[n+1:], true
			}
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth < 0 {
				return nil, nil, false
			}
			if depth == 0 {
				return b[:n+1], b[n+1:], true
			}
		case depth == 0 && (c == ',' || c == '}'):
			return b[:n], b[n:], n > 0
		}
	}
	return nil, nil, false
}

// text is the value of a field: a text, an array of bytes where it is no UTF-8, or an array of values where the entry
// has the field several times, of which the first text stands.
func (r *rawEntry) text(field int) string {
	raw := r[field]
	if len(raw) < 2 {
		return ""
	}
	if raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var octets []uint16 // an array of bytes would be read as base64
	if json.Unmarshal(raw, &octets) == nil {
		b := make([]byte, len(octets))
		for i, n := range octets {
			if n > 255 {
				return ""
			}
			b[i] = byte(n)
		}
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil {
		for _, one := range several {
			if json.Unmarshal(one, &s) == nil {
				return s
			}
		}
	}
	return ""
}

// integer is -1 where the entry does not have the field.
func (r *rawEntry) integer(field int) int64 {
	raw := r[field]
	if len(raw) < 3 || len(raw) > 22 {
		return -1
	}
	n, err := strconv.ParseInt(string(raw[1:len(raw)-1]), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (r *rawEntry) moment(field int) (t time.Time) {
	if n := r.integer(field); n > 0 {
		t = time.UnixMicro(n)
	}
	return t
}

// is tells whether a field is a text that needs no reading.
func (r *rawEntry) is(field int, text string) bool {
	raw := r[field]
	return len(raw) == len(text)+2 && string(raw[1:len(raw)-1]) == text
}

// whole tells whether the entry has the address that every entry has.
func (r *rawEntry) whole() bool { return r[fieldCursor] != nil && r[fieldTime] != nil }

// log is the log that an entry belongs to.
func (r *rawEntry) log() string {
	facility := int(r.integer(fieldFacility))
	switch {
	case r.is(fieldTransport, "audit") || slices.Contains(securityFacilities, facility):
		return logSecurity
	case r.is(fieldTransport, "kernel") || slices.Contains(systemFacilities, facility):
		return logSystem
	}
	return logApplication
}

// entry is one entry of the journal. Texts are empty and numbers -1 where the entry does not have the field.
type entry struct {
	log      string
	lineage  string // which sequence the number is of
	number   uint64 // grows from entry to entry of a lineage
	written  time.Time
	made     time.Time // when the program said it, where journald knows that to be another time
	message  string
	id       string // the kind of the message
	priority int
	audit    int64
	uid      int64
	source   string
	command  string
	host     string
	carrier  string // kernel, syslog, stdout, journal, audit, driver
}

// entry reads the fields; ok is false for what is no whole entry.
func (r *rawEntry) entry() (e entry, ok bool) {
	e = entry{
		log: r.log(), written: r.moment(fieldTime), made: r.moment(fieldSourceTime),
		message: r.text(fieldMessage), id: r.text(fieldMessageID), priority: int(r.integer(fieldPriority)),
		audit: r.integer(fieldAuditType), uid: r.integer(fieldUID), source: r.text(fieldIdentifier), command: r.text(fieldCommand),
		host: r.text(fieldHost), carrier: r.text(fieldTransport),
	}
	if e.made.IsZero() {
		e.made = e.written
	}
	for part := range strings.SplitSeq(r.text(fieldCursor), ";") {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "s":
			e.lineage = value
		case "i":
			n, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return e, false
			}
			e.number = n
		}
	}
	return e, e.lineage != "" && e.number > 0 && !e.written.IsZero()
}

// parseEntry reads an entry that journalctl printed as JSON.
func parseEntry(line []byte) (e entry, ok bool) {
	var raw rawEntry
	if !raw.parse(line) {
		return e, false
	}
	return raw.entry()
}

// The logs into which the journal is divided.
const (
	logApplication = "Application"
	logSecurity    = "Security"
	logSystem      = "System"
)

var logNames = []string{logApplication, logSecurity, logSystem}

// Facilities of syslog(3) by the log that they belong to.
var (
	securityFacilities = []int{4, 10, 13}      // auth, authpriv, audit
	systemFacilities   = []int{0, 3, 5, 9, 12} // kern, daemon, syslog, cron, ntp
)

// logMatches are the arguments that make journalctl print the entries of a log, and perhaps others.
func logMatches(name string) []string {
	var out []string
	add := func(carrier string, facilities []int) {
		for _, f := range facilities {
			out = append(out, "SYSLOG_FACILITY="+strconv.Itoa(f))
		}
		out = append(out, "+", "_TRANSPORT="+carrier)
	}
	switch name {
	case logSecurity:
		add("audit", securityFacilities)
	case logSystem:
		add("kernel", systemFacilities)
	}
	return out
}
