package host

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// quickFix is an update of a package: the newest one, where there were several.
type quickFix struct {
	name, version, before string
	at                    time.Time
	csName                string
}

func (r *quickFix) id() string { return r.name + "_" + r.version }

var quickFixTable = &table[quickFix]{name: "Win32_QuickFixEngineering", gather: gatherFixes, columns: []column[quickFix]{
	{name: "HotFixID", get: func(r *quickFix) cim.Value { return cim.Str(r.id()) }},
	{name: "ServicePackInEffect", get: fixedStr[quickFix]("")},
	{name: "CSName", get: func(r *quickFix) cim.Value { return strOrNull(r.csName) }},
	{name: "Description", get: fixedStr[quickFix]("Update")},
	{name: "FixComments", get: func(r *quickFix) cim.Value {
		if r.before == "" {
			return cim.Value{}
		}
		return cim.Str("replaces " + r.before)
	}},
	// Month, day and year without zeros in front, as Windows writes it in every language.
	{name: "InstalledOn", get: func(r *quickFix) cim.Value { return cim.Str(r.at.Format("1/2/2006")) }},
}}

// gatherFixes reads the logs of the package managers and gives the updates that are installed still. The logs do not
// tell which of them were about security.
func gatherFixes(ctx context.Context, p *Provider, _ uint32, q query, f func(*quickFix) error) error {
	fixes, err := p.dpkgFixes(ctx)
	if err != nil {
		return err
	}
	more, err := p.dnfFixes(ctx)
	if err != nil {
		return err
	}
	id, one := q.text("HotFixID")
	name := p.hostName()
	for _, fix := range append(fixes, more...) {
		fix.csName = name
		if one && !cim.EqualFold(fix.id(), id) {
			continue
		}
		if err := f(&fix); err != nil {
			return err
		}
	}
	return nil
}

// dpkgFixes are the lines "DATE TIME upgrade PACKAGE:ARCH OLD NEW" of the logs of dpkg whose new version is the one
// that is installed.
func (p *Provider) dpkgFixes(ctx context.Context) ([]quickFix, error) {
	last := map[string]quickFix{}
	location := p.location()
	err := p.rotated(ctx, "var/log/dpkg.log", func(line string) {
		w := strings.Fields(line)
		if len(w) != 6 || w[2] != "upgrade" {
			return
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", w[0]+" "+w[1], location)
		if old := last[w[3]]; err == nil && at.After(old.at) {
			last[w[3]] = quickFix{name: w[3], version: w[5], before: w[4], at: at}
		}
	})
	if err != nil || len(last) == 0 {
		return nil, err
	}
	var out []quickFix
	err = p.dpkg(ctx, 0, func(s *software) error {
		if fix, ok := last[s.id]; ok && fix.version == s.version {
			out = append(out, fix)
			delete(last, s.id)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return out, err
}

// dnfFixes are the lines "TIME LEVEL Upgrade: NAME-VERSION-RELEASE.ARCH" of the log of dnf. The last one of a package
// stands.
func (p *Provider) dnfFixes(ctx context.Context) ([]quickFix, error) {
	last := map[string]quickFix{}
	err := p.rotated(ctx, "var/log/dnf.rpm.log", func(line string) {
		head, what, ok := strings.Cut(line, " Upgrade: ")
		stamp, _, _ := strings.Cut(head, " ")
		at, err := time.Parse("2006-01-02T15:04:05Z0700", stamp)
		if !ok || err != nil {
			return
		}
		release := strings.LastIndexByte(what, '-')
		if release < 0 {
			return
		}
		version := strings.LastIndexByte(what[:release], '-')
		if version < 0 {
			return
		}
		if old := last[what[:version]]; at.After(old.at) {
			last[what[:version]] = quickFix{name: what[:version], version: what[version+1:], at: at.In(p.location())}
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]quickFix, 0, len(last))
	for _, fix := range last {
		out = append(out, fix)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

// maxRotated bounds what is read of a log and its older parts together.
const maxRotated = 256 << 20

// rotated calls f with the lines of a log and of its older parts, which logrotate(8) numbers and compresses.
func (p *Provider) rotated(ctx context.Context, path string, f func(line string)) error {
	files, _ := filepath.Glob(filepath.Join(p.root, path) + "*")
	left := int64(maxRotated)
	for _, name := range files {
		n, err := logLines(ctx, name, left, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			p.log.Debug("a log cannot be read to its end", "file", name, "error", err)
		}
		if left -= n; left <= 0 {
			break
		}
	}
	return nil
}

func logLines(ctx context.Context, name string, limit int64, f func(line string)) (read int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(file)
		if err != nil {
			return 0, err
		}
		defer z.Close()
		r = z
	}
	s := bufio.NewScanner(io.LimitReader(r, limit))
	for s.Scan() {
		if read += int64(len(s.Bytes())) + 1; ctx.Err() != nil {
			return read, ctx.Err()
		}
		f(s.Text())
	}
	return read, s.Err()
}
