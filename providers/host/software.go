package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

const softwareDate uint32 = 1

// software is one installed package.
type software struct {
	id, name, version, vendor, summary, homepage string
	installed                                    time.Time
}

type softwareRow struct {
	software
	location *time.Location
}

type softwareColumn = column[softwareRow]

func softwareText(name string, get func(*softwareRow) string) softwareColumn {
	return softwareColumn{name: name, get: func(r *softwareRow) cim.Value { return strOrNull(get(r)) }}
}

var softwareTable = &table[softwareRow]{name: "Win32_Product", gather: gatherSoftware, columns: []softwareColumn{
	softwareText("IdentifyingNumber", func(r *softwareRow) string { return r.id }),
	softwareText("Name", func(r *softwareRow) string { return r.name }),
	softwareText("Caption", func(r *softwareRow) string { return r.name }),
	softwareText("PackageName", func(r *softwareRow) string { return r.name }),
	softwareText("Version", func(r *softwareRow) string { return r.version }),
	softwareText("Vendor", func(r *softwareRow) string { return r.vendor }),
	softwareText("Description", func(r *softwareRow) string { return r.summary }),
	softwareText("URLInfoAbout", func(r *softwareRow) string { return r.homepage }),
	{name: "InstallState", get: fixedValue[softwareRow](cim.S16(5))}, // installed
	{name: "InstallDate", need: softwareDate, get: func(r *softwareRow) cim.Value {
		if r.installed.IsZero() {
			return cim.Value{}
		}
		return cim.Str(r.installed.In(r.location).Format("20060102"))
	}},
	{name: "InstallDate2", need: softwareDate, get: func(r *softwareRow) cim.Value { return timeOrNull(r.installed, r.location) }},
}}

// gatherSoftware reads the databases of all package managers that are there. Nothing is changed or checked by it.
func gatherSoftware(ctx context.Context, p *Provider, need uint32, q query, f func(*softwareRow) error) error {
	name, one := q.text("Name")
	r := &softwareRow{location: p.location()}
	each := func(s *software) error {
		if one && !cim.EqualFold(s.name, name) {
			return nil
		}
		r.software = *s
		return f(r)
	}
	for _, read := range []func(context.Context, uint32, func(*software) error) error{p.dpkg, p.apk, p.rpm} {
		if err := read(ctx, need, each); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// paragraphs reads a file of paragraphs whose lines are a key, a separator and a value. Continued lines, which begin
// with a blank, are left out.
func (p *Provider) paragraphs(path, separator string, f func(map[string]string) error) error {
	file, err := os.Open(filepath.Join(p.root, path))
	if err != nil {
		return err
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(nil, maxLine)
	paragraph := map[string]string{}
	flush := func() error {
		if len(paragraph) == 0 {
			return nil
		}
		err := f(paragraph)
		clear(paragraph)
		return err
	}
	for s.Scan() {
		line := s.Text()
		if line == "" {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		if key, value, ok := strings.Cut(line, separator); ok {
			if _, twice := paragraph[key]; !twice {
				paragraph[key] = strings.TrimSpace(value)
			}
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return flush()
}

// dpkg reads the database of Debian. The date is that of the list of files, which dpkg writes when it installs or
// upgrades a package.
func (p *Provider) dpkg(ctx context.Context, need uint32, f func(*software) error) error {
	return p.paragraphs("var/lib/dpkg/status", ":", func(k map[string]string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		state := strings.Fields(k["Status"])
		if len(state) != 3 || state[2] != "installed" || k["Package"] == "" {
			return nil
		}
		s := software{
			id: k["Package"] + ":" + k["Architecture"], name: k["Package"], version: k["Version"], vendor: k["Maintainer"],
			summary: k["Description"], homepage: k["Homepage"],
		}
		if need&softwareDate != 0 {
			for _, list := range []string{s.id, s.name} {
				if st, err := os.Stat(filepath.Join(p.root, "var/lib/dpkg/info", list+".list")); err == nil {
					s.installed = st.ModTime()
					break
				}
			}
		}
		return f(&s)
	})
}

// apk reads the database of Alpine, which keeps no dates. It stands below /usr where /lib is a link to /usr/lib.
func (p *Provider) apk(ctx context.Context, _ uint32, f func(*software) error) error {
	path := "lib/apk/db/installed"
	if _, err := os.Stat(filepath.Join(p.root, path)); err != nil {
		path = "usr/" + path
	}
	return p.paragraphs(path, ":", func(k map[string]string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if k["P"] == "" {
			return nil
		}
		return f(&software{
			id: k["P"] + ":" + k["A"], name: k["P"], version: k["V"], vendor: k["m"], summary: k["T"], homepage: k["U"],
		})
	})
}

// rpmFormat asks for a line a package: fields behind a unit separator each, which no field contains.
const rpmFormat = `%{NAME}\x1f%{ARCH}\x1f%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\x1f%{VENDOR}\x1f%{SUMMARY}\x1f%{URL}\x1f%{INSTALLTIME}\n`

// rpm asks the program: it knows every form of its database, and what stands only in the write-ahead log yet.
func (p *Provider) rpm(ctx context.Context, _ uint32, f func(*software) error) error {
	if !p.hasRPM() {
		return fs.ErrNotExist
	}
	program, err := exec.LookPath("rpm")
	if err != nil {
		return fs.ErrNotExist
	}
	args := []string{"-qa", "--queryformat", strings.ReplaceAll(rpmFormat, `\x1f`, "\x1f")}
	if p.root != "/" {
		args = append([]string{"--root", p.root}, args...)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	err = readRPM(bufio.NewScanner(out), f)
	if err != nil {
		cancel()
	}
	if werr := c.Wait(); err == nil && werr != nil {
		err = fmt.Errorf("%s -qa: %w", program, werr)
	}
	return err
}

func (p *Provider) hasRPM() bool {
	for _, dir := range []string{"var/lib/rpm", "usr/lib/sysimage/rpm"} {
		if entries, err := os.ReadDir(filepath.Join(p.root, dir)); err == nil && len(entries) > 0 {
			return true
		}
	}
	return false
}

func readRPM(s *bufio.Scanner, f func(*software) error) error {
	s.Buffer(nil, maxLine)
	for s.Scan() {
		k := strings.Split(s.Text(), "\x1f")
		if len(k) != 7 || k[0] == "gpg-pubkey" {
			continue
		}
		for i := range k {
			if k[i] == "(none)" {
				k[i] = ""
			}
		}
		p := software{id: k[0] + ":" + k[1], name: k[0], version: k[2], vendor: k[3], summary: k[4], homepage: k[5]}
		if seconds, err := strconv.ParseInt(k[6], 10, 64); err == nil {
			p.installed = time.Unix(seconds, 0)
		}
		if err := f(&p); err != nil {
			return err
		}
	}
	return s.Err()
}
