package console

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
)

// The classes of WMI show users and groups and change neither: what does, on Windows
// as on a Casement host, is net.exe in a shell of WinRM: by this name, since Samba has a
// net, too. See checklist 2.118.

// The changes of a user or group.
const (
	userAdd      = "add"
	userPassword = "password"
	userEnable   = "enable"
	userDisable  = "disable"
	userDelete   = "delete"
	memberAdd    = "member-add"
	memberRemove = "member-remove"
)

// accountChange is what is done to a user of a server, or to the members of a group.
type accountChange struct {
	Do                string
	User              string // with a domain for a member
	Group             string
	FullName, Comment string
	Password          string // written to the command's input, and nowhere else
}

// accountNames are texts that Windows lets no account have in its name, and those
// that mean something to cmd or sh inside of double quotes.
const accountNames = "\"/[]:;|=,+*?<>@" + "`%!^&"

// checkAccountName tells why a text is not the name of an account.
func checkAccountName(what, name string, domain bool) error {
	plain, bad := name, name == ""
	if d, n, found := strings.Cut(name, `\`); found {
		plain, bad = n, !domain || d == "" || n == ""
	}
	bad = bad || !utf8.ValidString(name) || utf8.RuneCountInString(name) > 104 || strings.ContainsAny(name, accountNames) || strings.ContainsFunc(name, unicode.IsControl) ||
		strings.Contains(plain, `\`) || strings.Contains(strings.TrimSuffix(name, "$"), "$") || strings.TrimSpace(name) != name || strings.Trim(plain, ". ") == ""
	if bad {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not a name", Text: what + " is not a name that an account can have."}
	}
	return nil
}

// checkAccountText tells why a text is not what a user may be described by.
func checkAccountText(what, s string) error {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 256 || strings.ContainsAny(s, "\"\\`$%!^&<>|") || strings.ContainsFunc(s, unicode.IsControl) {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not understood", Text: what + " has at most 256 characters, and none of \" \\ ` $ % ! ^ & < > |"}
	}
	return nil
}

func (ch accountChange) check() error {
	member := ch.Do == memberAdd || ch.Do == memberRemove
	switch ch.Do {
	case userAdd, userPassword:
		if ch.Password == "" || utf8.RuneCountInString(ch.Password) > 127 || strings.ContainsFunc(ch.Password, unicode.IsControl) {
			return &problem{Status: http.StatusUnprocessableEntity, Title: "No password", Text: "A password has 1 to 127 characters, in one line."}
		}
	case userEnable, userDisable, userDelete, memberAdd, memberRemove:
	default:
		return &problem{Status: http.StatusBadRequest, Title: "Not understood", Text: "There is no such change of a user or group."}
	}
	if err := checkAccountName("The user", ch.User, member); err != nil {
		return err
	}
	if member {
		return checkAccountName("The group", ch.Group, false)
	}
	if ch.Do == userAdd && utf8.RuneCountInString(ch.User) > 20 {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Not a name", Text: "The name of a user has at most 20 characters."}
	}
	if err := checkAccountText("The full name", ch.FullName); err != nil {
		return err
	}
	return checkAccountText("The description", ch.Comment)
}

// doing is the change as a sentence begins with it.
func (ch accountChange) doing(server string) string {
	on := " on " + server
	switch ch.Do {
	case userAdd:
		return "Making the user " + ch.User + on
	case userPassword:
		return "Setting the password of " + ch.User + on
	case userEnable:
		return "Enabling " + ch.User + on
	case userDisable:
		return "Disabling " + ch.User + on
	case userDelete:
		return "Deleting " + ch.User + on
	case memberAdd:
		return "Adding " + ch.User + " to " + ch.Group + on
	default:
		return "Removing " + ch.User + " from " + ch.Group + on
	}
}

// done is the change as it is told afterwards.
func (ch accountChange) done(server string) string {
	return map[string]string{
		userAdd: "Made the user " + ch.User, userPassword: "Set the password of " + ch.User, userEnable: "Enabled " + ch.User, userDisable: "Disabled " + ch.User,
		userDelete: "Deleted " + ch.User, memberAdd: "Added " + ch.User + " to " + ch.Group, memberRemove: "Removed " + ch.User + " from " + ch.Group,
	}[ch.Do] + " on " + server + "."
}

// command is the line that does it: the same for Windows and for a Casement host but
// where a password is read, which net.exe takes from a console alone.
func (ch accountChange) command(windows bool) string {
	switch ch.Do {
	case userAdd:
		if windows {
			more := ""
			if ch.FullName != "" {
				more += "$u.FullName=" + psQuote(ch.FullName) + ";"
			}
			if ch.Comment != "" {
				more += "$u.Description=" + psQuote(ch.Comment) + ";"
			}
			if more != "" {
				more += "$u.SetInfo()"
			}
			return powershell("$u=([ADSI]'WinNT://.,computer').Create('User'," + psQuote(ch.User) + ");$u.SetPassword($p);$u.SetInfo();" + more)
		}
		line := `net.exe user "` + ch.User + `" "*" /add`
		if ch.FullName != "" {
			line += ` "/fullname:` + ch.FullName + `"`
		}
		if ch.Comment != "" {
			line += ` "/comment:` + ch.Comment + `"`
		}
		return line
	case userPassword:
		if windows {
			return powershell("([ADSI](" + psQuote("WinNT://./"+ch.User+",user") + ")).SetPassword($p)")
		}
		return `net.exe user "` + ch.User + `" "*"`
	case userEnable:
		return `net.exe user "` + ch.User + `" /active:yes`
	case userDisable:
		return `net.exe user "` + ch.User + `" /active:no`
	case userDelete:
		return `net.exe user "` + ch.User + `" /delete`
	case memberAdd:
		return `net.exe localgroup "` + ch.Group + `" "` + ch.User + `" /add`
	default:
		return `net.exe localgroup "` + ch.Group + `" "` + ch.User + `" /delete`
	}
}

// powershell is a line of Windows that has the first line of its input in $p.
func powershell(script string) string {
	return `powershell.exe -NoProfile -NonInteractive -Command "$ErrorActionPreference='Stop';$p=[Console]::In.ReadLine();` + script + `"`
}

// psQuote writes a text as one of PowerShell, which takes four more characters for
// its quote.
func psQuote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		if strings.ContainsRune("'‘’‚‛", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	return b.String() + "'"
}

// question is what is asked before the change; nil where nothing is.
func (ch accountChange) question(e Entry) *confirmation {
	k := &confirmation{List: []string{e.Name}, Level: 1}
	switch ch.Do {
	case memberAdd:
		k.Title, k.Do = "Add "+ch.User+" to "+ch.Group+" on "+e.Name, "Add"
		k.Effect = "It counts from the next sign-in of " + ch.User + " on."
	case memberRemove:
		k.Title, k.Do = "Remove "+ch.User+" from "+ch.Group+" on "+e.Name, "Remove"
		k.Effect = "It counts from the next sign-in of " + ch.User + " on."
	case userDisable:
		k.Title, k.Do = "Disable "+ch.User+" on "+e.Name, "Disable"
		k.Effect = ch.User + " can no longer sign in; what runs goes on."
	case userDelete:
		k.Level, k.Title, k.Do = 2, "Delete "+ch.User+" on "+e.Name, "Delete"
		k.Effect = "The account is gone for good: one of the same name made later has none of its rights."
	default:
		return nil
	}
	if ch.cuts(e) {
		k.Level = 2
		k.Effect = "Casement itself will lose this server: it comes as " + e.snapshot().Account + ". " + k.Effect
	}
	return k
}

// cuts tells whether the change may take away what we come by.
func (ch accountChange) cuts(e Entry) bool {
	if ch.Do == memberAdd {
		return false
	}
	as := e.snapshot().Account
	domain, name, found := strings.Cut(as, `\`)
	if !found {
		domain, name = "", as
	}
	their, plain, found := strings.Cut(ch.User, `\`)
	if !found {
		their, plain = "", ch.User
	}
	return name != "" && strings.EqualFold(name, plain) && (domain == "" || their == "" || strings.EqualFold(domain, their) || domain == ".")
}

// changeAccount does it, after it was confirmed where it must be, and says what came
// of it.
func (c *Console) changeAccount(rq *request, e Entry, ch accountChange) (result, error) {
	if err := ch.check(); err != nil {
		return result{}, err
	}
	entry := auditlog.Entry{Action: "user-" + ch.Do, Targets: []string{e.Name}, Parameters: map[string]string{"user": ch.User}}
	for name, v := range map[string]string{"group": ch.Group, "full_name": ch.FullName, "comment": ch.Comment} {
		if v != "" {
			entry.Parameters[name] = v
		}
	}
	line, doing := ch.command(e.facts().Windows), ch.doing(e.Name)
	if ch.Do == userAdd || ch.Do == userPassword {
		if e.Snapshot == nil || e.Snapshot.Facts == nil {
			return result{}, &problem{Status: http.StatusConflict, Title: "Not known", Text: "It is not known yet whether " + e.Name + " runs Windows.", Next: "Refresh it first."}
		}
		err := c.act(rq, entry, func(*auditlog.Entry) error {
			err := c.runWithInput(rq.Context(), e, line, ch.Password, doing)
			if err != nil {
				return rq.failing(doing, err)
			}
			return nil
		})
		return result{Message: ch.done(e.Name), Reload: true}, err
	}
	a, err := actionOf(pool.KindRun, pool.RunParameters{Command: line, Timeout: 60})
	if err != nil {
		return result{}, err
	}
	o, err := c.perform(rq, entry, a, e, doing)
	if o.Open {
		return result{Message: doing + " still runs.", Location: workPage(o.Work.ID)}, err
	}
	return result{Message: ch.done(e.Name), Reload: true}, err
}

// failing is an error of something that was asked of a server, told as it begins.
func (rq *request) failing(doing string, err error) *problem {
	p := *rq.problemOf(err)
	if !strings.HasPrefix(p.Text, doing) {
		p.Text = doing + " failed: " + p.Text
	}
	if p.Status >= http.StatusInternalServerError {
		p.Status = http.StatusBadGateway
	}
	return &p
}
