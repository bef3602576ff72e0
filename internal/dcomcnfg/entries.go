package dcomcnfg

import (
	"slices"

	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
)

// allOfCOM are the bits that COM knows.
const allOfCOM = settings.COMExecute | settings.COMExecuteLocal | settings.COMExecuteRemote | settings.COMActivateLocal | settings.COMActivateRemote

// oldFormat tells whether an entry means all rights by COMExecute alone.
func oldFormat(mask uint32) bool { return mask&allOfCOM == settings.COMExecute }

// page is the list of entries of one descriptor as its page shows it: for each
// principal ticks to allow and ticks to deny.
type page struct {
	setting settings.COMSetting
	sd      *security.SecurityDescriptor
}

// open gives a page of its own to change. Entries of the old format are written out,
// since a list must not mix both formats.
func open(s settings.COMSetting, from *security.SecurityDescriptor) *page {
	sd := *from
	sd.DACL = &security.ACL{Revision: from.DACL.Revision, ACEs: slices.Clone(from.DACL.ACEs)}
	if s != settings.WMIConfigure {
		for n := range sd.DACL.ACEs {
			if e := &sd.DACL.ACEs[n]; oldFormat(e.Mask) {
				e.Mask = all(s)
			}
		}
	}
	return &page{s, &sd}
}

func (p *page) is(e *security.ACE, kind security.ACEType, sid security.SID) bool {
	return e.Type == kind && e.SID == sid && e.Flags&security.InheritOnly == 0
}

// tick sets ticks of one kind for a principal, and takes those of the other kind.
func (p *page) tick(kind security.ACEType, sid security.SID, mask, takes uint32) {
	other := security.AccessDenied
	if kind == security.AccessDenied {
		other = security.AccessAllowed
	}
	p.untick(other, sid, takes)
	list := p.sd.DACL.ACEs
	for n := range list {
		if p.is(&list[n], kind, sid) {
			list[n].Mask |= mask
			return
		}
	}
	e := security.ACE{Type: kind, Mask: mask, SID: sid}
	if p.setting == settings.WMIConfigure {
		e.Flags = security.ContainerInherit // a key hands it down
	}
	// Entries that deny stand first, the principal's own before inherited ones.
	at := slices.IndexFunc(list, func(e security.ACE) bool {
		return e.Flags&security.Inherited != 0 || kind == security.AccessDenied && e.Type != security.AccessDenied
	})
	if at < 0 {
		at = len(list)
	}
	p.sd.DACL.ACEs = slices.Insert(list, at, e)
}

// untick takes ticks of one kind away, and tells whether there were any. An entry
// without ticks goes: COMExecute alone would mean all of them.
func (p *page) untick(kind security.ACEType, sid security.SID, takes uint32) bool {
	var none uint32
	if p.setting != settings.WMIConfigure {
		none = allOfCOM &^ (all(p.setting) &^ settings.COMExecute)
	}
	took := false
	kept := p.sd.DACL.ACEs[:0]
	for _, e := range p.sd.DACL.ACEs {
		if p.is(&e, kind, sid) && p.granted(e.Mask)&takes != 0 {
			took = true
			if e.Mask = p.granted(e.Mask) &^ takes; e.Mask&^none == 0 {
				continue
			}
		}
		kept = append(kept, e)
	}
	p.sd.DACL.ACEs = kept
	return took
}

// granted is a mask without generic rights.
func (p *page) granted(mask uint32) uint32 {
	if p.setting == settings.WMIConfigure {
		return security.KeyMapping.Map(mask)
	}
	return mask
}
