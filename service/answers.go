package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/answerfile"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// answersName is the answer file that a new state folder may hold.
const answersName = "unattend.xml"

// readAnswers reads and checks the answer file of a new state folder: the one that was
// named, else the one that lies in it. Without one the answers are empty.
func (s *State) readAnswers(named string) (*answerfile.Answers, error) {
	path := named
	if path == "" {
		path = filepath.Join(s.Dir, answersName)
	}
	f, err := os.Open(path)
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		return &answerfile.Answers{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer file: %w", err)
	}
	defer f.Close()
	a, err := answerfile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range a.Ignored {
		s.Logger.Info("the answer file has something that means nothing here", "ignored", name)
	}
	return a, nil
}

// answer makes the new state folder what the answer file says.
func (s *State) answer(a *answerfile.Answers) error {
	if len(a.Firewall)+len(a.Groups) > 0 {
		if err := s.Hive.Update(func(tx *registry.Tx) error { return answerFirewall(tx, a) }); err != nil {
			return fmt.Errorf("answer file: firewall: %w", err)
		}
	}
	if a.RemoteManagement == nil {
		return nil
	}
	on := *a.RemoteManagement
	switch {
	case on && s.Role() == RoleClient:
		s.Logger.Warn("the answer file enables remote management, which a client does not have", "role", RoleClient)
		return nil
	case on && !RemoteManagementOf(s.Snapshot()).Enabled:
		quick := QuickConfig{Dir: s.Dir, Logger: s.Logger, Now: s.now}
		if _, err := quick.configureState(s, QuickConfigOptions{Transport: "HTTP", Force: true, manager: true, start: true}); err != nil {
			return fmt.Errorf("answer file: remote management: %w", err)
		}
	case !on:
		if err := s.Hive.Update(func(tx *registry.Tx) error {
			return settings.Apply(tx, []settings.Change{settings.SetAllowRemoteAccess(false)})
		}); err != nil {
			return fmt.Errorf("answer file: remote management: %w", err)
		}
	}
	s.Logger.Info("remote management is as the answer file says", "enabled", on)
	return nil
}

func answerFirewall(tx *registry.Tx, a *answerfile.Answers) error {
	for p, on := range a.Firewall {
		n := uint32(0)
		if on {
			n = 1
		}
		if err := firewall.Set(tx, p, firewall.SettingState, n); err != nil {
			return err
		}
	}
	rules, _ := firewall.Rules(tx)
	for _, r := range rules {
		if r.Source == registry.SourceGPO || !slices.ContainsFunc(a.Groups, func(g answerfile.Group) bool { return strings.EqualFold(g.Name, r.Group) }) {
			continue
		}
		if r = answerRule(r, a.Groups); r.Active || r.Source != registry.SourceNone {
			if err := firewall.Put(tx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerRule switches a rule as the groups say. It is active for no other profile than
// those for which its group is: a rule for two profiles of which one is asked for is
// narrowed to that one.
func answerRule(r firewall.Rule, groups []answerfile.Group) firewall.Rule {
	have := r.Profiles
	if have == 0 {
		have = firewall.AllProfiles
	}
	var on, off firewall.Profile
	for _, g := range groups {
		switch {
		case !strings.EqualFold(g.Name, r.Group):
		case g.Active:
			on |= g.Profiles & have
		default:
			off |= g.Profiles & have
		}
	}
	if r.Active {
		on |= have &^ off
	}
	if r.Active = on != 0; r.Active && on != have {
		r.Profiles = on
	}
	return r
}
