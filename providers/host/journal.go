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

// journalFields are the fields that are read of an entry; its addresses come with it.
var journalFields = []string{"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "_COMM", "_UID", "_HOSTNAME",
	"_TRANSPORT", "_SOURCE_REALTIME_TIMESTAMP", "_AUDIT_TYPE"}

// entryFields are the arguments that make journalctl print entries with some fields.
func entryFields(names ...string) []string {
	return []string{"--output=json", "--all", "--output-fields=" + strings.Join(names, ",")}
}

// entry is one entry of the journal. Texts are empty and numbers -1 where the entry does not have the field.
type entry struct {
	lineage  string // which sequence the number is of
	number   uint64 // grows from entry to entry of a lineage
	written  time.Time
	made     time.Time // when the program said it, where journald knows that to be another time
	message  string
	id       string // the kind of the message
	priority int
	facility int
	audit    int64
	uid      int64
	source   string
	command  string
	host     string
	carrier  string // kernel, syslog, stdout, journal, audit, driver
}

// parseEntry reads an entry that journalctl printed as JSON.
func parseEntry(line []byte) (e entry, ok bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return e, false
	}
	text := func(name string) string { return journalText(fields[name]) }
	integer := func(name string) int64 {
		n, err := strconv.ParseInt(text(name), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	moment := func(name string) (t time.Time) {
		if n := integer(name); n > 0 {
			t = time.UnixMicro(n)
		}
		return t
	}
	e = entry{
		written: moment("__REALTIME_TIMESTAMP"), made: moment("_SOURCE_REALTIME_TIMESTAMP"),
		message: text("MESSAGE"), id: text("MESSAGE_ID"), priority: int(integer("PRIORITY")), facility: int(integer("SYSLOG_FACILITY")),
		audit: integer("_AUDIT_TYPE"), uid: integer("_UID"), source: text("SYSLOG_IDENTIFIER"), command: text("_COMM"),
		host: text("_HOSTNAME"), carrier: text("_TRANSPORT"),
	}
	if e.made.IsZero() {
		e.made = e.written
	}
	for _, part := range strings.Split(text("__CURSOR"), ";") {
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

// journalText is the value of a field: a text, an array of bytes where it is no UTF-8, or an array of values where the
// entry has the field several times, of which the first one stands.
func journalText(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) == nil {
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
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return firstOf(several)
	}
	return ""
}

// firstOf is the first value of a field that an entry has several times; values do not nest further.
func firstOf(several []json.RawMessage) string {
	var s string
	for _, raw := range several {
		if json.Unmarshal(raw, &s) == nil {
			return s
		}
	}
	return ""
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

// log is the log that an entry belongs to.
func (e *entry) log() string {
	switch {
	case e.carrier == "audit" || slices.Contains(securityFacilities, e.facility):
		return logSecurity
	case e.carrier == "kernel" || slices.Contains(systemFacilities, e.facility):
		return logSystem
	}
	return logApplication
}

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
