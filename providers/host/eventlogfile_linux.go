package host

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/cim"
)

const (
	logRecords uint32 = 1 << (iota + 8) // beyond those of a file
	logFiles
)

// maxSources bounds the programs that are listed for a log.
const maxSources = 10000

// logRow is one of the logs into which the journal is divided.
type logRow struct {
	fileRow // of the directory of the journal, with the times and the size of its files
	log     string
	records uint32
	sources []string
	config  map[string]string
	files   bool
}

// logColumns are those of a file whose names are made of the directory of the journal and the name of the log: no
// file has a log of its own.
func logColumns() []column[logRow] {
	out := []column[logRow]{
		{name: "LogfileName", get: func(r *logRow) cim.Value { return cim.Str(r.log) }},
		{name: "NumberOfRecords", need: logRecords, get: func(r *logRow) cim.Value { return cim.U32(r.records) }},
		{name: "Sources", need: logRecords, get: func(r *logRow) cim.Value { return strsOrNull(r.sources) }},
		{name: "MaxFileSize", get: func(r *logRow) cim.Value {
			n, ok := configuredBytes(r.config["SystemMaxUse"])
			if !ok || n >= 1<<32 {
				return cim.Value{} // a share of the file system, or more than the property can say
			}
			return cim.U32(uint32(n))
		}},
		{name: "OverWritePolicy", get: func(r *logRow) cim.Value {
			if r.retention() > 0 {
				return cim.Str("OutDated")
			}
			return cim.Str("WhenNeeded")
		}},
		{name: "OverwriteOutDated", get: func(r *logRow) cim.Value { return cim.U32(r.retention()) }},
		{name: "FileSize", need: logFiles, get: func(r *logRow) cim.Value {
			if !r.files {
				return cim.Value{}
			}
			return cim.U64(r.Size)
		}},
		{name: "FileType", get: fixedStr[logRow]("Journal")},
	}
	for _, c := range fileColumns {
		switch c.name {
		case "FileSize", "FileType", "Extension", "EightDotThreeFileName":
			continue
		}
		get := c.get
		need := c.need
		if strings.HasSuffix(c.name, "Date") || strings.HasPrefix(c.name, "Last") {
			need |= logFiles
		}
		out = append(out, column[logRow]{name: c.name, need: need, get: func(r *logRow) cim.Value { return get(&r.fileRow) }})
	}
	return out
}

// retention is the number of days after which entries go, 0 where only room decides. See journald.conf(5).
func (r *logRow) retention() uint32 {
	text := strings.TrimSpace(r.config["MaxRetentionSec"])
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz ")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0
	}
	seconds := map[string]uint64{"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
		"w": 604800, "week": 604800, "weeks": 604800, "month": 2629800, "months": 2629800, "year": 31557600, "years": 31557600}[strings.TrimSpace(text[len(number):])]
	return uint32(min((n*seconds+86399)/86400, 365))
}

// configuredBytes reads a size of journald.conf(5): a number and K, M, G, T.
func configuredBytes(text string) (uint64, bool) {
	if text == "" {
		return 0, false
	}
	shift := strings.IndexByte("KMGT", text[len(text)-1])
	n, err := strconv.ParseUint(strings.TrimRight(text, "KMGT"), 10, 32)
	return n << (10 * (shift + 1)), err == nil
}

var eventLogFileTable = &table[logRow]{name: "Win32_NTEventlogFile", gather: gatherLogs, columns: logColumns()}

func gatherLogs(ctx context.Context, p *Provider, need uint32, q query, f func(*logRow) error) error {
	files := p.journalFiles()
	if len(files) == 0 {
		return nil
	}
	dir, err := filepath.Rel(p.root, filepath.Dir(files[0]))
	if err != nil {
		return err
	}
	base := logRow{config: p.journalConfig()}
	if !p.stat("/"+dir, &base.fileRow) {
		return nil
	}
	base.class, base.csName, base.location = "Win32_NTEventlogFile", p.hostName(), p.location()
	if need&fileMount != 0 {
		mounts, _ := p.mounts()
		base.mount = mountOf(mounts, base.name)
	}
	if need&logFiles != 0 {
		base.files = base.sum(files)
	}
	counts, sources := map[string]uint32{}, map[string]map[string]bool{}
	if need&logRecords != 0 {
		if err := p.countRecords(ctx, counts, sources); err != nil {
			return err
		}
	}
	name, named := q.text("Name")
	logfile, fixed := q.text("LogfileName")
	for _, log := range logNames {
		r := base
		r.log, r.name, r.records = log, path.Join("/", dir, log), counts[log]
		if named && !cim.EqualFold(name, r.name) || fixed && !cim.EqualFold(logfile, log) {
			continue
		}
		for s := range sources[log] {
			r.sources = append(r.sources, s)
		}
		slices.Sort(r.sources)
		if err := f(&r); err != nil {
			return err
		}
	}
	return nil
}

// sum gives the row the size of all files of the journal, the birth of the oldest and the last change.
func (r *logRow) sum(files []string) bool {
	r.Size, r.Btime, r.Mtime, r.Atime = 0, unix.StatxTimestamp{}, unix.StatxTimestamp{}, unix.StatxTimestamp{}
	earlier := func(a, b unix.StatxTimestamp) bool { return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec }
	for _, file := range files {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, file, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st) != nil {
			return false // it was rotated away meanwhile
		}
		r.Size += st.Size
		if r.Mask &= st.Mask; r.Btime.Sec == 0 || earlier(st.Btime, r.Btime) {
			r.Btime = st.Btime
		}
		if earlier(r.Mtime, st.Mtime) {
			r.Mtime = st.Mtime
		}
		if earlier(r.Atime, st.Atime) {
			r.Atime = st.Atime
		}
	}
	return true
}

// journalConfig are the settings of journald; later files win.
func (p *Provider) journalConfig() map[string]string {
	out := section(p.read("etc/systemd/journald.conf"), "Journal")
	for _, dir := range []string{"usr/lib/systemd/journald.conf.d", "run/systemd/journald.conf.d", "etc/systemd/journald.conf.d"} {
		_ = p.configured("", dir, ".conf", func(_, text string) error {
			for key, value := range section(text, "Journal") {
				out[key] = value
			}
			return nil
		})
	}
	return out
}

// countRecords reads the whole journal once for the numbers and the programs of all logs.
func (p *Provider) countRecords(ctx context.Context, counts map[string]uint32, sources map[string]map[string]bool) error {
	var raw rawEntry
	return p.journal(ctx, func(line []byte) error {
		if !raw.parse(line) || !raw.whole() {
			return nil
		}
		log := raw.log()
		counts[log]++
		if name := first(raw.text(fieldIdentifier), raw.text(fieldCommand)); name != "" && len(sources[log]) < maxSources {
			if sources[log] == nil {
				sources[log] = map[string]bool{}
			}
			sources[log][name] = true
		}
		return nil
	}, entryFields("_TRANSPORT", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "_COMM")...)
}
