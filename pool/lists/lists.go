package lists

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/casementhq/casement/pool"
)

// Bounds of a list. One that is larger is refused as a whole.
const (
	MaxSize    = 10 << 20 // octets
	MaxLines   = 100_000
	MaxServers = 100_000
	maxNotes   = 50
	maxTags    = 64 // of one server
)

// Format is a form of lists.
type Format string

// The formats. All are read; ServerManager and AnsibleYAML are not written.
const (
	CSV           Format = "csv"            // ours, with all that the pool knows
	AdminCenter   Format = "wac"            // Windows Admin Center's name,type,tags,groupId
	ServerManager Format = "server-manager" // Server Manager's ServerList.xml
	Text          Format = "text"           // one name or address per line
	Ansible       Format = "ansible"        // an inventory of Ansible, INI
	AnsibleYAML   Format = "ansible-yaml"   // an inventory of Ansible, YAML
	Hosts         Format = "hosts"          // as /etc/hosts
	JSON          Format = "json"           // ours, for programs
)

var readers = map[Format]func(*builder, string) error{
	CSV: readCSV, AdminCenter: readAdminCenter, ServerManager: readServerManager, Text: readText,
	Ansible: readAnsible, AnsibleYAML: readAnsibleYAML, Hosts: readHosts, JSON: readJSON,
}

var writers = map[Format]func(io.Writer, []pool.Server) error{
	CSV: writeCSV, AdminCenter: writeAdminCenter, Text: writeText, Ansible: writeAnsible, Hosts: writeHosts, JSON: writeJSON,
}

// Readable and Writable are the formats in the order in which they are shown.
var (
	Readable = []Format{CSV, AdminCenter, ServerManager, Text, Ansible, AnsibleYAML, Hosts, JSON}
	Writable = []Format{CSV, AdminCenter, Text, JSON, Ansible, Hosts}
)

// List is what was read.
type List struct {
	Format Format
	// Servers have the names of the list in its order; one that came twice is here
	// once, with the tags of both. Added and AddedBy are not set.
	Servers []pool.Server
	// Lines are where the servers stand.
	Lines []int
	// Notes say what stood in the list and was not taken.
	Notes []Note
}

// Note is something that a list has and the pool does not take.
type Note struct {
	Line int
	Text string
}

// String names the line.
func (n Note) String() string { return fmt.Sprintf("line %d: %s", n.Line, n.Text) }

// Error says where a list is wrong. Nothing of it is taken.
type Error struct {
	// Line and Column count from 1, the column in octets; 0 is the list as a whole.
	Line, Column int
	Detail       string
}

// Error names the line and, where it is known, the column.
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Detail
	case e.Column == 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Detail)
	default:
		return fmt.Sprintf("line %d: %s (column %d)", e.Line, e.Detail, e.Column)
	}
}

func wrong(line, column int, format string, args ...any) error {
	return &Error{Line: line, Column: column, Detail: fmt.Sprintf(format, args...)}
}

// Read reads a list. Where format is "", it is found out from the name of the file,
// which may be "", and what the list begins with. Text is UTF-8, or UTF-16 with a
// byte order mark. Errors about the list are *Error.
func Read(r io.Reader, format Format, name string) (*List, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxSize {
		return nil, &Error{Detail: fmt.Sprintf("the list is larger than %d MB", MaxSize>>20)}
	}
	text, err := decode(b)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(text), "$ANSIBLE_VAULT") {
		return nil, wrong(1, 1, "the file is encrypted by Ansible Vault; import what 'ansible-vault view' prints")
	}
	if format == "" {
		format = Detect(name, text)
	}
	read, ok := readers[format]
	if !ok {
		return nil, &Error{Detail: fmt.Sprintf("the format %q is not known; there are %s", format, join(Readable))}
	}
	build := &builder{at: map[string]place{}}
	if err := read(build, text); err != nil {
		return nil, err
	}
	return &List{Format: format, Servers: build.servers, Lines: build.lines, Notes: build.notes}, nil
}

// Write writes servers. A format leaves out what it has no place for; CSV and JSON
// have one for everything.
func Write(w io.Writer, format Format, servers []pool.Server) error {
	write, ok := writers[format]
	if !ok {
		return &Error{Detail: fmt.Sprintf("the format %q cannot be written; there are %s", format, join(Writable))}
	}
	return write(w, servers)
}

func join(formats []Format) string {
	words := make([]string, len(formats))
	for i, f := range formats {
		words[i] = string(f)
	}
	return strings.Join(words, ", ")
}

// decode gives the text without its byte order mark.
func decode(b []byte) (string, error) {
	var text string
	switch {
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		text = utf16Text(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		text = utf16Text(b[2:], binary.BigEndian)
	default:
		text = string(bytes.TrimPrefix(b, []byte{0xEF, 0xBB, 0xBF}))
	}
	line, column := 1, 1
	for i, r := range text {
		switch {
		case r == '\n':
			line, column = line+1, 1
			if line > MaxLines+1 {
				return "", &Error{Detail: fmt.Sprintf("the list has more than %d lines", MaxLines)}
			}
			continue
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return "", wrong(line, column, "the text is neither UTF-8 nor UTF-16 with a byte order mark")
		case r == 0:
			return "", wrong(line, column, "the text has a zero in it; a list is text")
		}
		column += utf8.RuneLen(r)
	}
	return text, nil
}

func utf16Text(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// Detect finds the format of a list by what it looks like, and by the name of its
// file where that leaves a doubt. What looks like nothing is text.
func Detect(name, text string) Format {
	start := strings.TrimSpace(text)
	if strings.HasPrefix(start, "<") {
		return ServerManager
	}
	if rest, ok := strings.CutPrefix(start, "["); ok {
		if rest = strings.TrimSpace(rest); rest == "" || rest[0] == '{' || rest[0] == ']' && strings.TrimSpace(rest[1:]) == "" {
			return JSON
		}
	}
	if strings.HasPrefix(start, "{") {
		return JSON
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".yml", ".yaml":
		return AnsibleYAML
	case ".ini":
		return Ansible
	}
	first := true
	for i, line := range strings.Split(text, "\n") {
		if i == 0 && strings.HasPrefix(line, "---") {
			return AnsibleYAML
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if first {
			first = false
			if f := headOf(line); f != "" {
				return f
			}
			if strings.HasSuffix(line, ":") && !strings.ContainsAny(line, " \t[") {
				return AnsibleYAML
			}
		}
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		switch fields := strings.Fields(line); {
		case line[0] == '[', len(fields) > 1 && strings.Contains(fields[1], "="):
			return Ansible
		case len(fields) > 1 && isAddress(fields[0]):
			return Hosts
		}
	}
	return Text
}

// headOf tells which CSV has this line as its first.
func headOf(line string) Format {
	names := map[string]bool{}
	for _, f := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' }) {
		names[strings.ToLower(strings.Trim(f, `" `))] = true
	}
	switch {
	case !names["name"]:
		return ""
	case names["groupid"] || names["type"]:
		return AdminCenter
	default:
		return CSV
	}
}

// builder collects the servers of a list.
type builder struct {
	servers []pool.Server
	lines   []int
	at      map[string]place // by name in small letters
	notes   []Note
}

type place struct{ index, line int }

// add takes a server that stands at a place. The same name again is fine where only
// its tags differ.
func (b *builder) add(line, column int, s pool.Server) error {
	if err := check(&s); err != nil {
		return wrong(line, column, "%v", err)
	}
	key := strings.ToLower(s.Name)
	p, there := b.at[key]
	if !there {
		if len(b.servers) == MaxServers {
			return wrong(line, column, "the list has more than %d servers", MaxServers)
		}
		b.at[key] = place{len(b.servers), line}
		b.servers, b.lines = append(b.servers, s), append(b.lines, line)
		return nil
	}
	have := &b.servers[p.index]
	tags := have.Tags
	for _, tag := range s.Tags {
		tags = withTag(tags, tag)
	}
	one, two := *have, s
	one.Tags, two.Tags, one.Name, two.Name = nil, nil, "", ""
	if !same(one, two) {
		return wrong(line, column, "%s stands in line %d too, and differs", s.Name, p.line)
	}
	if len(tags) > maxTags {
		return wrong(line, column, "%s has more than %d tags", s.Name, maxTags)
	}
	slices.Sort(tags)
	have.Tags = tags
	return nil
}

// same compares all but names and tags.
func same(a, b pool.Server) bool {
	return a.Address == b.Address && a.Endpoint == b.Endpoint && a.Transport == b.Transport && a.ResolverPort == b.ResolverPort &&
		a.Thumbprint == b.Thumbprint && a.Credential == b.Credential && a.Paused == b.Paused && a.Note == b.Note
}

// note says something once, at the line where it came first.
func (b *builder) note(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range b.notes {
		if n.Text == text {
			return
		}
	}
	switch {
	case len(b.notes) < maxNotes:
		b.notes = append(b.notes, Note{line, text})
	case len(b.notes) == maxNotes:
		b.notes = append(b.notes, Note{line, "more is left out, which is not listed here"})
	}
}

// tags gives the tags among words, and says so where one had to be changed.
func (b *builder) tags(line int, words []string) []string {
	var tags []string
	for _, w := range words {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		tag := strings.Join(strings.Fields(w), "-")
		if tag != w {
			b.note(line, "tags have no spaces: %q becomes %q", w, tag)
		}
		tags = withTag(tags, tag)
	}
	return tags
}

func withTag(tags []string, tag string) []string {
	for _, t := range tags {
		if strings.EqualFold(t, tag) {
			return tags
		}
	}
	return append(tags[:len(tags):len(tags)], tag)
}
