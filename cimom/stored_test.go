package cimom_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
)

// The instances of the conformance suite, with every type, array, reference and
// embedded object, come back from the repository as they were, after a restart
// too.
func TestEveryTypeIsStored(t *testing.T) {
	file := filepath.Join(t.TempDir(), "repository")
	start := func() (cim.Session, func()) {
		repo, err := repository.Open(file, repository.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		m := cimom.New(cimom.Options{Repository: repo, Server: "HOST"})
		return open(t, m, `root\cimv2`), func() { m.Close(); repo.Close() }
	}
	s, stop := start()
	for _, c := range cimtest.Classes() {
		static := *c
		static.Qualifiers = slices.DeleteFunc(slices.Clone(c.Qualifiers), func(q cim.Qualifier) bool { return q.Name == "Dynamic" })
		put(t, s, static, cim.PutClassOptions{})
	}
	var kept []*cim.Instance
	for _, i := range cimtest.Instances() {
		_, err := s.Create(t.Context(), i, cim.OperationOptions{})
		if errors.Is(err, cim.ErrAlreadyExists) && i.Class().Name == "CT_ContainsMain" {
			continue // the suite has one with the keys of its superclass's
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, i)
	}
	if len(kept) < 300 {
		t.Fatalf("%d instances were stored", len(kept))
	}
	check := func(when string) {
		t.Helper()
		for _, want := range kept {
			path, _ := want.Path()
			path.Namespace, path.Server = "", ""
			got, err := s.Get(t.Context(), path, cim.GetOptions{})
			if err != nil || !got.Equal(want) {
				t.Errorf("%s: %s: %v, want %v (%v)", when, path.Relative(), got, want, err)
			}
		}
		if got := query(t, s, "SELECT * FROM CT_Number WHERE Even=TRUE AND Word LIKE 't%'"); len(got) != cimtest.Numbers/10 {
			t.Errorf("%s: %d numbers", when, len(got))
		}
		if got := query(t, s, `ASSOCIATORS OF {CT_Types.ID="full"} WHERE Role=Whole`); len(got) != 3 {
			t.Errorf("%s: %d parts of the whole", when, len(got))
		}
	}
	check("when stored")
	stop()
	s, stop = start()
	defer stop()
	check("after a restart")
}

// ThreadsPerHost of __ProviderHostQuotaConfiguration bounds the calls of a
// provider from the next start on. See spec/wmi.md 6.3.
func TestQuotaOfProviders(t *testing.T) {
	repo := repository.Memory()
	defer repo.Close()
	hang := func() (hung int) {
		m := cimom.New(cimom.Options{Repository: repo})
		defer m.Close()
		if err := m.Register(&faulty{}); err != nil {
			t.Fatal(err)
		}
		s := open(t, m, faultyNamespace)
		for range 4 {
			o := cim.GetOptions{OperationOptions: cim.OperationOptions{Timeout: 20 * time.Millisecond}}
			_, err := s.Get(t.Context(), cim.ObjectPath{Class: "T_Hangs", Keys: []cim.Key{{Value: cim.U32(7)}}}, o)
			if errors.Is(err, cim.ErrTimedOut) {
				hung++
			}
		}
		root := open(t, m, "root")
		quota := make1(t, root, "__ProviderHostQuotaConfiguration", map[string]cim.Value{"ThreadsPerHost": cim.U32(3)})
		if got, err := root.Get(t.Context(), cim.ObjectPath{Class: quota.Class().Name, Singleton: true}, cim.GetOptions{}); err != nil || got.Get("HandlesPerHost").String() != "4096" {
			t.Errorf("the quota: %v, %v", got, err)
		}
		if err := root.Put(t.Context(), quota, cim.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		return hung
	}
	if got := hang(); got != 4 {
		t.Errorf("%d calls hang before the quota was set, want 4", got)
	}
	if got := hang(); got != 3 {
		t.Errorf("%d calls hang after a start with the quota, want 3", got)
	}
}
