package winrmtool

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/security"
)

// Names finds the names of accounts that are not well known.
type Names interface {
	SID(name string) (security.SID, bool)
	Name(sid security.SID) (string, bool)
}

// sddlEditor edits the access list of a descriptor line by line.
type sddlEditor struct {
	tool  *Tool
	sd    *security.SecurityDescriptor
	name  string
	names Names // nil knows the well-known ones
}

// rightsWords are the rights as the editor names them. See [MS-WSMV] 3.1.4.1.28.
var rightsWords = []struct {
	word string
	mask uint32
}{
	{"all", security.GenericAll}, {"read", security.GenericRead}, {"write", security.GenericWrite}, {"execute", security.GenericExecute},
}

const editorHelp = `add NAME RIGHTS     permit; RIGHTS are any of read, write, execute, all
deny NAME RIGHTS    deny
remove NUMBER|NAME  take entries away
list                show the entries
sddl                show the descriptor
save                write it and end
quit                end without writing
`

// run carries out the user's lines until save or quit, and tells whether to
// write. The end of the input is quit.
func (e *sddlEditor) run(ctx context.Context) (write bool, err error) {
	if err := e.tool.print("Security of " + e.name + "\n" + e.list()); err != nil {
		return false, err
	}
	for {
		if err := e.tool.print("> "); err != nil {
			return false, err
		}
		line, more, err := e.tool.nextLine(ctx)
		if err != nil {
			return false, err
		}
		if !more {
			return false, e.tool.print("\nNothing was written.\n")
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		answer := ""
		switch strings.ToLower(word) {
		case "":
			continue
		case "save":
			return true, nil
		case "quit", "q", "exit":
			return false, e.tool.print("Nothing was written.\n")
		case "list":
			answer = e.list()
		case "sddl":
			answer = e.sd.String() + "\n"
		case "add", "deny":
			answer = e.add(rest, strings.EqualFold(word, "deny"))
		case "remove":
			answer = e.remove(rest)
		default:
			answer = editorHelp
		}
		if err := e.tool.print(answer); err != nil {
			return false, err
		}
	}
}

// list shows the entries of the access list by name.
func (e *sddlEditor) list() string {
	if e.sd.DACL == nil {
		return "  there is no access list: everybody may do everything\n"
	}
	if len(e.sd.DACL.ACEs) == 0 {
		return "  the access list is empty: nobody may do anything\n"
	}
	var b strings.Builder
	for i, ace := range e.sd.DACL.ACEs {
		kind := "allow"
		switch ace.Type {
		case security.AccessAllowed:
		case security.AccessDenied:
			kind = "deny"
		default:
			kind = "other"
		}
		fmt.Fprintf(&b, "%3d  %-5s  %-40s  %s\n", i+1, kind, e.display(ace.SID), rightsText(ace.Mask))
	}
	return b.String()
}

// rightsText names the rights of an entry.
func rightsText(mask uint32) string {
	var words []string
	for _, r := range rightsWords {
		if mask&r.mask == r.mask {
			words = append(words, r.word)
			mask &^= r.mask
		}
	}
	if mask != 0 {
		words = append(words, security.FormatRights(mask))
	}
	return strings.Join(words, ",")
}

// display is the name of an account, its identifier where it has none here.
func (e *sddlEditor) display(sid security.SID) string {
	if domain, name, ok := security.WellKnownName(sid); ok {
		if domain != "" {
			return domain + `\` + name
		}
		return name
	}
	if e.names != nil {
		if name, ok := e.names.Name(sid); ok {
			return name
		}
	}
	return sid.String()
}

// account finds an account by its name or identifier.
func (e *sddlEditor) account(name string) (security.SID, bool) {
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if strings.HasPrefix(strings.ToUpper(name), "S-1-") {
		sid, err := security.ParseSID(name)
		return sid, err == nil
	}
	if sid, ok := security.WellKnownSID(name); ok {
		return sid, true
	}
	if e.names != nil {
		return e.names.SID(name)
	}
	return security.SID{}, false
}

// add puts an entry into the list; entries that deny stand before the others.
func (e *sddlEditor) add(rest string, deny bool) string {
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
	var mask uint32
	last := ""
	for len(words) > 0 {
		last = strings.ToLower(words[len(words)-1])
		found := false
		for _, r := range rightsWords {
			if r.word == last {
				mask |= r.mask
				found = true
			}
		}
		if !found {
			break
		}
		words = words[:len(words)-1]
	}
	if mask == 0 || len(words) == 0 {
		return "write: add NAME RIGHTS, where RIGHTS are any of read, write, execute, all\n"
	}
	name := strings.Join(words, " ")
	sid, ok := e.account(name)
	if !ok {
		return "there is no account " + clip(name) + "; use its security identifier S-1-...\n"
	}
	if e.sd.DACL == nil {
		e.sd.DACL = &security.ACL{}
		e.sd.Control |= security.DACLPresent
	}
	ace := security.ACE{Type: security.AccessAllowed, Mask: mask, SID: sid}
	if deny {
		ace.Type = security.AccessDenied
		e.sd.DACL.ACEs = slices.Insert(e.sd.DACL.ACEs, 0, ace)
	} else {
		e.sd.DACL.ACEs = append(e.sd.DACL.ACEs, ace)
	}
	return e.list()
}

// remove takes entries away, by number or by account.
func (e *sddlEditor) remove(rest string) string {
	rest = strings.TrimSpace(rest)
	if e.sd.DACL == nil || rest == "" {
		return "write: remove NUMBER or remove NAME\n"
	}
	if n, err := strconv.Atoi(rest); err == nil {
		if n < 1 || n > len(e.sd.DACL.ACEs) {
			return "there is no entry " + rest + "\n"
		}
		e.sd.DACL.ACEs = slices.Delete(e.sd.DACL.ACEs, n-1, n)
		return e.list()
	}
	sid, ok := e.account(rest)
	if !ok {
		return "there is no account " + clip(rest) + "\n"
	}
	before := len(e.sd.DACL.ACEs)
	e.sd.DACL.ACEs = slices.DeleteFunc(e.sd.DACL.ACEs, func(a security.ACE) bool { return a.SID == sid })
	if len(e.sd.DACL.ACEs) == before {
		return clip(rest) + " has no entry\n"
	}
	return e.list()
}
