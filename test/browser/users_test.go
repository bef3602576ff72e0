package browser

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// answers asks a host as somebody, and tells what came.
func (m *machine) answers(address, user, password string) string {
	m.t.Helper()
	cmd := m.command("query", address, "SELECT Caption FROM Win32_OperatingSystem")
	cmd.Env = append(cmd.Env, "CASEMENT_USER="+user, "CASEMENT_PASSWORD="+password)
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// Users and groups are changed from the page, and the host knows it at once: checklist
// 2.118.
func TestUsersWalk(t *testing.T) {
	t.Parallel()
	m := up(t)
	h, address := host(t)
	manages(m, address)
	p := newPerson(t, browser(t, m.spki()))
	p.expect("status of 409") // a question before a change, as the browser sees it
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	const secret = "Anna-Secret-77"

	// A new user, who may sign in and see nothing.
	p.opens(m.console + "servers/" + address + "/users")
	p.sees("table", "Administrator")
	p.clicks("#new summary")
	p.writes("#new-user", "anna")
	p.writes("#new-full", "Anna Ö")
	p.writes("#new-password", secret)
	p.writes("#new-again", secret)
	p.looks("new")
	p.clicks("#new button.primary")
	p.sees(".done", "Made the user anna on "+address)
	p.sees(`tr[data-user="anna"]`, "Anna Ö")
	if got := m.answers(address, "anna", secret); !strings.Contains(got, "ERROR_ACCESS_DENIED") {
		t.Errorf("a new user gets %s", got)
	}

	// A member of the group passes the gate of the plug-in, and is stopped at the namespace.
	p.opens(m.console + "servers/" + address + "/users?view=groups")
	p.clicks(`tr[data-group="WinRMRemoteWMIUsers__"] summary`)
	p.writes(`tr[data-group="WinRMRemoteWMIUsers__"] input[name="user"]:not([type="hidden"])`, "anna")
	p.clicks(`tr[data-group="WinRMRemoteWMIUsers__"] .rowmenu button`)
	p.sees("dialog", "Add anna to WinRMRemoteWMIUsers__ on "+address)
	p.screenshot("ask")
	p.clicks("dialog button.danger")
	p.sees(".done", "Added anna to WinRMRemoteWMIUsers__")
	p.sees(`tr[data-group="WinRMRemoteWMIUsers__"]`, `\anna`)
	p.sits(deskDark)
	p.screenshot("dark-groups")
	p.sits(phone)
	p.looks("phone-groups")
	p.sits(desk)
	if got := m.answers(address, "anna", secret); !strings.Contains(got, "0x80041003") {
		t.Errorf("a member of WinRMRemoteWMIUsers__ gets %s", got)
	}
	h.must("", "wmi", "sd", "grant", `root\cimv2`, "anna", "Enable Account,Remote Enable", h.state())
	if got := m.answers(address, "anna", secret); !strings.Contains(got, "Linux") {
		t.Errorf("with a right in the namespace: %s", got)
	}

	// Disabled, enabled, deleted.
	page := m.console + "servers/" + address + "/users?q=anna"
	p.opens(page)
	p.clicks(`tr[data-user="anna"] summary`)
	p.screenshot("row")
	p.clicks(`tr[data-user="anna"] button[value="disable"]`)
	p.clicks("dialog button.danger")
	p.sees(`tr[data-user="anna"]`, "disabled")
	if got := m.answers(address, "anna", secret); !strings.Contains(got, "401") {
		t.Errorf("a disabled user gets %s", got)
	}
	p.clicks(`tr[data-user="anna"] summary`)
	p.clicks(`tr[data-user="anna"] button[value="enable"]`)
	p.sees(`tr[data-user="anna"]`, "enabled")
	p.clicks(`tr[data-user="anna"] summary`)
	p.writes(`tr[data-user="anna"] input[type="password"]`, "Anna-Secret-78")
	p.clicks(`tr[data-user="anna"] form:last-child button`)
	p.sees(".done", "Set the password of anna")
	if got := m.answers(address, "anna", "Anna-Secret-78"); !strings.Contains(got, "Linux") {
		t.Errorf("with the new password: %s", got)
	}
	p.clicks(`tr[data-user="anna"] summary`)
	p.clicks(`tr[data-user="anna"] button[value="delete"]`)
	p.sees("dialog", "The account is gone for good")
	if !ask[bool](p, `document.querySelector("dialog button.danger").disabled`) {
		t.Error("it can be deleted before its server is typed")
	}
	p.looks("delete")
	p.writes(`dialog input[name="typed"]`, address)
	p.clicks("dialog button.danger")
	p.sees(".empty", "No user has anna")
	if out := h.must("", "user", "list", h.state()); strings.Contains(out, "anna") {
		t.Errorf("the host has %s", out)
	}

	// A mistake is told where it was made, with what the host said.
	p.opens(m.console + "servers/" + address + "/users?view=groups")
	p.clicks(`tr[data-group="WinRMRemoteWMIUsers__"] summary`)
	p.writes(`tr[data-group="WinRMRemoteWMIUsers__"] input[name="user"]:not([type="hidden"])`, "nobody-such")
	p.clicks(`tr[data-group="WinRMRemoteWMIUsers__"] .rowmenu button`)
	p.clicks("dialog button.danger")
	p.sees("#alerts", "Adding nobody-such to WinRMRemoteWMIUsers__ on "+address+" failed")
	p.screenshot("mistake")

	// No secret is anywhere in either machine's folder but where passwords are kept.
	for _, dir := range []string{m.dir, h.dir} {
		out, err := exec.Command("grep", "-rlF", "Anna-Secret-7", dir).CombinedOutput()
		if found := strings.TrimSpace(string(out)); found != "" {
			t.Errorf("a password is in %s (%v)", found, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(m.dir, "state", "console", "audit.jsonl"))
	if err != nil || !bytes.Contains(b, []byte(`"user-member-add"`)) || !bytes.Contains(b, []byte(`"user-delete"`)) {
		t.Errorf("the audit log: %v", err)
	}
}
