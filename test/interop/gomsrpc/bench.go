package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/ienumwbemclassobject/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemwcosmartenum/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmio"
	"github.com/oiweiwei/go-msrpc/ndr"
)

// bench is the peer's side of the benchmark of objects: CASEMENT_BENCH_OBJECT names the encoding unit of an instance with its class,
// CASEMENT_BENCH_REPLY the stub of an answer of IWbemWCOSmartEnum::Next, CASEMENT_BENCH_KNOWN that of the next one, which has no class any more, and
// CASEMENT_BENCH_FULL that of an answer of IEnumWbemClassObject::Next, in which each object has its class.
// It prints what one operation of a kind took as one JSON line.
func bench(kind string) error {
	unit, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_OBJECT"))
	if err != nil {
		return err
	}
	first, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_REPLY"))
	if err != nil {
		return err
	}
	known, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_KNOWN"))
	if err != nil {
		return err
	}
	full, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_FULL"))
	if err != nil {
		return err
	}
	object, err := wmio.Unmarshal(unit)
	if err != nil {
		return err
	}
	if object.Instance == nil {
		return errors.New("the unit is not an instance with its class")
	}
	classes := map[string]*wmio.Class{}
	if err := readReply(first, classes); err != nil {
		return err
	}
	decode := func() error { _, err := wmio.Unmarshal(unit); return err }
	do, ok := map[string]func() error{
		"decode with class":                        decode,
		"decode with class, new":                   decode,
		"decode reply of objects with their class": func() error { return readFullReply(full) },
		"encode with class":                        func() error { _, err := wmio.Marshal(object); return err },
		"decode reply with one class":              func() error { return readReply(first, map[string]*wmio.Class{}) },
		"decode reply, class known":                func() error { return readReply(known, classes) },
	}[kind]
	if !ok {
		return fmt.Errorf("no benchmark %q", kind)
	}
	took, err := measure(do)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took)
}

func readFullReply(stub []byte) error {
	next := &ienumwbemclassobject.NextResponse{}
	if err := ndr.Unmarshal(stub, next); err != nil {
		return err
	}
	if len(next.Objects) != 100 {
		return fmt.Errorf("%d objects", len(next.Objects))
	}
	for _, one := range next.Objects {
		if _, err := byValue(one); err != nil {
			return err
		}
	}
	return nil
}

func readReply(stub []byte, classes map[string]*wmio.Class) error {
	next := &iwbemwcosmartenum.NextResponse{}
	if err := ndr.Unmarshal(stub, next); err != nil {
		return err
	}
	objects, err := wmi.UnmarshalObjectArrayWithClasses(next.Buffer, classes)
	if err == nil && len(objects.Objects) != 100 {
		err = fmt.Errorf("%d objects", len(objects.Objects))
	}
	return err
}

type result struct{ Nanoseconds, Allocations float64 }

// measure runs do for a second.
func measure(do func() error) (result, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, began := 0, time.Now()
	for time.Since(began) < time.Second {
		if err := do(); err != nil {
			return result{}, err
		}
		n++
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return result{float64(took.Nanoseconds()) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n)}, nil
}
