package wsmanserver

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/casementhq/casement/internal/audit"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wscim"
)

// The rights of WS-Management. See [MS-WSMV] 3.1.4.1.28.
const (
	genericRead    = 0x8000_0000
	genericWrite   = 0x4000_0000
	genericExecute = 0x2000_0000
)

// access is the right that an operation needs.
func access(op operation, uri string) uint32 {
	if strings.HasPrefix(strings.ToLower(uri), wsman.ResourceShell) {
		return genericExecute
	}
	switch op {
	case opGet, opEnumerate, opPull, opRelease, opSubscribe, opUnsubscribe, opRenew:
		return genericRead
	case opPut, opCreate, opDelete:
		return genericWrite
	}
	return genericExecute
}

// audited is what makes two accesses one in the record.
type audited struct {
	resource string
	access   uint32
}

// authorize is gate 5: the descriptor of the resource URI, or RootSDDL,
// decides about the operation. Access entries for audit go to the log.
func (c *call) authorize(ctx context.Context, op operation, uri string) error {
	desired := access(op, uri)
	for _, text := range c.descriptors() {
		if err := c.authorizeBy(ctx, text, desired, op, uri); err != nil {
			return err
		}
	}
	return nil
}

// descriptors are those that must all grant: that of the resource by its plain
// name, whatever spelling the request chose; and, of a class that the request
// names by a DMTF URI, also one that was set for the very class under its WMI
// URI. So who is shut out of a class is shut out under each of its names.
func (c *call) descriptors() []string {
	root := c.snap.WinRM.Service.RootSDDL
	list := []string{c.snap.Security.SDDL(c.resource.name, root)}
	if r := c.resource.cim; r.DMTF && r.Class != "" {
		namespace := r.Namespace
		if given, ok := c.msg.Selectors.Get(wsman.SelectorNamespace); ok {
			namespace = namespaceOf(given)
		}
		if e, err := c.snap.Security.Find(plainName(wscim.ClassURI(namespace, r.Class))); err == nil {
			list = append(list, e.SDDL)
		}
	}
	return list
}

func (c *call) authorizeBy(ctx context.Context, text string, desired uint32, op operation, uri string) error {
	sd, err := c.server.sddl.parse(text)
	if err != nil {
		c.server.log.Error("a security descriptor cannot be read: nobody is admitted", "uri", uri, "error", err)
		return wsman.NewFault(wsman.CodeAccessDenied, "Access is denied.").WithSubcode("w:AccessDenied", wsman.Sender)
	}
	_, err = security.AccessCheck(sd, c.caller.Token, desired, security.GenericMapping{})
	if err != nil && c.resource.plugin == pluginWMI {
		err = c.asRemoteWMIUser(sd, desired, err)
	}
	if entries := security.Audit(sd, c.caller.Token, desired, err == nil, security.GenericMapping{}); len(entries) > 0 {
		level := slog.LevelInfo
		if err == nil && (op == opReceive || op == opSend) {
			level = slog.LevelDebug // the command was audited; its input and output come by the thousand
		}
		c.server.audit.Write(ctx, audit.Entry{
			Level: level, User: c.caller.Token, Address: c.caller.Address, What: audited{clip(c.resource.name), desired}, Granted: err == nil,
			Attrs: []any{"uri", clip(uri), "action", clip(c.msg.Action), "access", security.FormatRights(desired)},
		})
	}
	if err != nil {
		f := wsman.NewFault(wsman.CodeAccessDenied, "Access is denied.").WithSubcode("w:AccessDenied", wsman.Sender)
		f.Err = err
		return f
	}
	return nil
}

// asRemoteWMIUser admits members of WinRMRemoteWMIUsers__ to the WMI plug-in,
// as if the descriptor ended with an entry for the group; so an entry that
// denies still does. See spec 5.7.
func (c *call) asRemoteWMIUser(sd *security.SecurityDescriptor, desired uint32, refused error) error {
	group := c.server.o.RemoteWMIUsers
	if group.IsZero() || !c.caller.Token.Has(group) || sd.DACL == nil {
		return refused
	}
	more, dacl := *sd, *sd.DACL
	dacl.ACEs = append(slices.Clone(dacl.ACEs), security.ACE{Mask: genericRead | genericWrite | genericExecute, SID: group})
	more.DACL = &dacl
	_, err := security.AccessCheck(&more, c.caller.Token, desired, security.GenericMapping{})
	return err
}

// sddlCache keeps parsed descriptors; there are few and they seldom change.
type sddlCache struct {
	mu    sync.Mutex
	known map[string]*security.SecurityDescriptor
}

func (s *sddlCache) parse(text string) (*security.SecurityDescriptor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sd, ok := s.known[text]; ok {
		return sd, nil
	}
	sd, err := security.ParseSDDL(text)
	if err != nil {
		return nil, err
	}
	if s.known == nil || len(s.known) > 256 {
		s.known = map[string]*security.SecurityDescriptor{}
	}
	s.known[text] = sd
	return sd, nil
}
