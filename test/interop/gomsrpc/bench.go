package main

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmio"
)

// bench is the peer's side of the benchmark of objects: CASEMENT_BENCH_OBJECT names the encoding unit of an instance with its class,
// CASEMENT_BENCH_PACKET an ObjectArray. It prints what one operation took as one JSON line.
func bench() error {
	unit, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_OBJECT"))
	if err != nil {
		return err
	}
	packet, err := os.ReadFile(os.Getenv("CASEMENT_BENCH_PACKET"))
	if err != nil {
		return err
	}
	object, err := wmio.Unmarshal(unit)
	if err != nil {
		return err
	}
	encoded, err := wmio.Marshal(object)
	if err != nil {
		return err
	}
	if len(encoded) == 0 || object.Instance == nil {
		return errors.New("the unit is not an instance with its class")
	}
	results := map[string]result{}
	for name, do := range map[string]func() error{
		"decode with class": func() error { _, err := wmio.Unmarshal(unit); return err },
		"encode with class": func() error { _, err := wmio.Marshal(object); return err },
		"decode packet": func() error {
			_, err := wmi.UnmarshalObjectArrayWithClasses(packet, map[string]*wmio.Class{})
			return err
		},
	} {
		if results[name], err = measure(do); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(results)
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
