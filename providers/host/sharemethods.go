package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
)

// The further return values of the methods of Win32_Share. See its documentation.
const (
	shareInvalidName   = 9
	shareDuplicate     = 22
	shareUnknownDevice = 24
)

// shareNameCharacters may not stand in the name of a user share; see net(8).
const shareNameCharacters = `%<>*?|/\+=;:",` + "\n\r\x00"

// createShare makes a user share of Samba: a file that belongs to the Unix user of the caller, whom Samba lets share
// directories of their own. Everybody may read it, as on Windows. A share with a limit, a password or a descriptor of
// its own is not one that such a file could describe.
func createShare(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	name, path, comment := c.text("Name"), c.text("Path"), c.text("Description")
	kind, isNumber := c.in.Get("Type").Uint()
	given := func(argument string) bool { return !c.in.Get(argument).IsNull() }
	switch {
	case name == "" || len(name) > 80 || strings.ContainsAny(name, shareNameCharacters) || strings.HasPrefix(name, "."):
		return shareInvalidName, nil, nil
	case !isNumber || kind != shareDisk || strings.ContainsAny(path+comment, "\n\r\x00"),
		given("MaximumAllowed"), given("Password"), given("Access"):
		return returnInvalidParameter, nil, nil
	}
	for _, s := range p.shares() {
		if cim.EqualFold(s.name, name) {
			return shareDuplicate, nil, nil
		}
	}
	if st, err := os.Stat(filepath.Join(p.root, path)); !filepath.IsAbs(path) || err != nil || !st.IsDir() {
		return shareUnknownDevice, nil, nil
	}
	smb := p.sambaConfig()
	a, ok := actor(p, p.o.Writer, c.caller)
	if smb.maxUserShares <= 0 || !ok {
		return returnAccessDenied, nil, nil
	}
	content := "#VERSION 2\npath=" + path + "\ncomment=" + comment + "\nusershare_acl=S-1-1-0:R,\nguest_ok=n\nsharename=" + name + "\n"
	file := filepath.Join(p.root, smb.userShareDir, strings.ToLower(name))
	return p.shareReturn("Create", a.Write(ctx, file, strings.NewReader(content))), nil, nil
}

// deleteShare removes a user share. Those of smb.conf and exports are the business of whoever writes these files.
func deleteShare(ctx context.Context, p *Provider, c *call) (uint32, cim.NamedArray, error) {
	a, ok := actor(p, p.o.Writer, c.caller)
	for _, s := range p.shares() {
		if !cim.EqualFold(s.name, c.key("Name")) {
			continue
		}
		if s.userFile == "" || !ok {
			return returnAccessDenied, nil, nil
		}
		return p.shareReturn("Delete", a.Remove(ctx, filepath.Join(p.root, s.userFile))), nil, nil
	}
	return 25, nil, nil // net name not found
}

// shareReturn is the documented return value for what happened to the file of a share.
func (p *Provider) shareReturn(method string, err error) uint32 {
	switch v := p.fileReturn(method, "user share", err); v {
	case returnOK, returnAccessDenied, returnInvalidParameter:
		return v
	case fileExists:
		return shareDuplicate
	}
	return returnUnknownFailure
}
