package cimom

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// checkEventQueries checks the EventQueryList of a registration that is to be
// stored: ErrUnparsableQuery and the like for what is no event query, and
// WBEMESS_E_REGISTRATION_TOO_BROAD for a claim on events that are the
// manager's. A query of a class that is not there yet passes: the text of a
// provider may bring it later. See spec/wmi.md 3.6 and 6.1.
func (s *session) checkEventQueries(registration *cim.Instance) error {
	lookup := func(name string) *cim.Class { return classOf(s.ns.find(name)) }
	for _, v := range registration.Get("EventQueryList").Elems() {
		text, _ := v.Str()
		q, err := wql.ParseEvent(text)
		if err != nil {
			return err
		}
		from := lookup(q.Class)
		if from == nil {
			continue
		}
		bound, err := wql.BindEvent(q, from, lookup)
		if err != nil {
			if cim.StatusOf(err) == cim.ErrInvalidClass {
				continue
			}
			return err
		}
		if !ofProvider(from, bound.Required("TargetInstance")) {
			return &cim.Error{Status: cim.ErrEssRegistrationTooBroad, Path: q.Class, Detail: "the query claims events of the system: " + text}
		}
	}
	return nil
}

// ofProvider tells whether a provider may make events of a class: extrinsic
// ones of its own, and those of the instances of classes that the query names.
func ofProvider(from *cim.Class, targets []string) bool {
	if !strings.HasPrefix(from.Name, "__") {
		return true
	}
	system := func(class string) bool { return strings.HasPrefix(class, "__") }
	return from.IsA("__InstanceOperationEvent") && len(targets) > 0 && !slices.ContainsFunc(targets, system)
}
