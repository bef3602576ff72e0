package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
)

// atJob is a job of at(1) that waits or runs.
type atJob struct {
	id        uint32
	start     time.Time
	submitted time.Time
	owner     string
	mail      string
	command   string
	p         *Provider
}

var scheduledJobTable = &table[atJob]{name: "Win32_ScheduledJob", gather: gatherJobs, columns: []column[atJob]{
	{name: "JobId", get: func(r *atJob) cim.Value { return cim.U32(r.id) }},
	{name: "Name", get: func(r *atJob) cim.Value { return cim.Str(strconv.FormatUint(uint64(r.id), 10)) }},
	{name: "Caption", get: func(r *atJob) cim.Value { return cim.Str(strconv.FormatUint(uint64(r.id), 10)) }},
	{name: "Command", get: func(r *atJob) cim.Value { return strOrNull(r.command) }},
	{name: "Owner", get: func(r *atJob) cim.Value { return strOrNull(r.owner) }},
	{name: "Notify", get: func(r *atJob) cim.Value { return strOrNull(r.mail) }},
	{name: "StartTime", get: func(r *atJob) cim.Value { return timeOrNull(r.start, r.p.location()) }},
	{name: "TimeSubmitted", get: func(r *atJob) cim.Value { return timeOrNull(r.submitted, r.p.location()) }},
	{name: "RunRepeatedly", get: fixedValue[atJob](cim.Bool(false))},
	{name: "InteractWithDesktop", get: fixedValue[atJob](cim.Bool(false))},
	{name: "Status", get: fixedStr[atJob]("OK")},
}}

// atSpools are where the distributions keep the jobs of at.
var atSpools = []string{"var/spool/cron/atjobs", "var/spool/atjobs", "var/spool/at"}

// gatherJobs reads the spool of at. What a job does is its owner's matter: an administrator sees the jobs of all,
// others none.
func gatherJobs(ctx context.Context, p *Provider, _ uint32, q query, f func(*atJob) error) error {
	if !isAdministrator(q.caller) {
		return nil
	}
	for _, dir := range atSpools {
		entries, err := os.ReadDir(filepath.Join(p.root, dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			id, start, ok := atName(e.Name())
			if !ok || ctx.Err() != nil {
				continue
			}
			j := &atJob{id: id, start: start, p: p}
			if info, err := e.Info(); err == nil {
				j.submitted = info.ModTime()
			}
			text, err := p.readSmall(dir, e.Name())
			if err != nil {
				p.log.Debug("a job of at cannot be read", "error", err)
			}
			j.script(text)
			if err := f(j); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	return nil
}

// atName reads the name of a job's file: a letter for the queue ("=" while the job runs), five hexadecimal digits of
// its number, eight of the minute since 1970 in which it starts.
func atName(name string) (id uint32, start time.Time, ok bool) {
	if len(name) != 14 {
		return 0, start, false
	}
	n, err1 := strconv.ParseUint(name[1:6], 16, 32)
	minutes, err2 := strconv.ParseUint(name[6:], 16, 32)
	return uint32(n), time.Unix(int64(minutes)*60, 0), err1 == nil && err2 == nil
}

// script finds in the script of a job whom it belongs to and what at was told to run. Everything before that restores
// the environment; it ends with going to the working directory.
func (j *atJob) script(text string) {
	all := strings.Split(text, "\n")
	body := -1
	for i, line := range all {
		f := strings.Fields(line)
		switch {
		case body >= 0:
		case len(f) > 2 && f[0] == "#" && f[1] == "atrun":
			if uid, err := strconv.ParseUint(strings.TrimPrefix(f[2], "uid="), 10, 32); err == nil {
				if u, ok := j.p.userByID(uint32(uid)); ok {
					j.owner = u.name
				}
			}
		case len(f) > 2 && f[0] == "#" && f[1] == "mail":
			j.mail = f[2]
		case strings.HasPrefix(line, "cd ") && strings.HasSuffix(line, "|| {"):
			for n := i + 1; n < len(all); n++ {
				if all[n] == "}" {
					body = n + 1
					break
				}
			}
		}
	}
	if body < 0 || body > len(all) {
		return
	}
	lines := all[body:]
	if len(lines) > 0 { // ${SHELL:-/bin/sh} << 'marcinDELIMITER1234'
		if _, mark, ok := strings.Cut(lines[0], "<< "); ok && strings.Contains(mark, "DELIMITER") {
			mark = strings.Trim(mark, "'\"")
			lines = lines[1:]
			for i := range lines {
				if lines[i] == mark {
					lines = lines[:i]
					break
				}
			}
		}
	}
	j.command = strings.TrimSpace(strings.Join(lines, "\n"))
}
