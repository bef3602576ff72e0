package exporter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/wql"
)

// Bounds of a file of queries.
const (
	maxFile    = 1 << 20
	maxQueries = 50
	maxMetrics = 20 // of one query
	maxLabels  = 10 // of one query, beside server
)

// File is a file of queries, JSON:
//
//	{"interval": "1m", "timeout": "20s", "queries": [
//	  {"namespace": "root\\cimv2",
//	   "wql": "SELECT Name, FreeSpace FROM Win32_LogicalDisk WHERE DriveType = 3",
//	   "labels": {"volume": "Name"},
//	   "metrics": [{"name": "windows_volume_free_bytes", "help": "Free space.", "value": "FreeSpace"}]}]}
//
// Each row of a query makes a sample of each of its metrics, with the label server
// and those that take properties of the row.
type File struct {
	// Interval is how often the servers are asked, 10 s to 1 h; "" is 1m.
	Interval string `json:"interval"`
	// Timeout is how long all queries of one server may take together; "" is 20s, and
	// it is no longer than Interval.
	Timeout string  `json:"timeout"`
	Queries []Query `json:"queries"`

	interval, timeout time.Duration
}

// Query is a question, and what its rows mean.
type Query struct {
	Namespace string `json:"namespace"` // "" is root\cimv2
	WQL       string `json:"wql"`
	// Labels are properties by the name of the label; server is there without it.
	Labels  map[string]string `json:"labels"`
	Metrics []Metric          `json:"metrics"`

	labels []string // their names, sorted
}

// Metric is what is read of a row.
type Metric struct {
	Name string `json:"name"`
	Help string `json:"help"`
	// Type is gauge, the default, or counter, whose name ends with _total.
	Type string `json:"type"`
	// Value is the property: a number, a truth value (0, 1) or a datetime (seconds
	// since 1970, or of an interval). "" counts the rows that have the same labels.
	Value string `json:"value"`
	// Factor is what the value is multiplied with, so that kilobytes become bytes; 0 is 1.
	Factor float64 `json:"factor"`
}

var (
	metricName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,99}$`)
	labelName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)
)

// ReadFile reads a file of queries and checks all of it.
func ReadFile(r io.Reader) (*File, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d octets", maxFile)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	f := &File{}
	if err := d.Decode(f); err != nil {
		at := d.InputOffset()
		if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
			at = s.Offset
		}
		return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(b[:min(at, int64(len(b)))], []byte{'\n'}), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the document")
	}
	return f, f.check()
}

func (f *File) check() (err error) {
	if f.interval, err = duration("interval", f.Interval, time.Minute, 10*time.Second, time.Hour); err != nil {
		return err
	}
	if f.timeout, err = duration("timeout", f.Timeout, min(20*time.Second, f.interval), time.Second, f.interval); err != nil {
		return err
	}
	if len(f.Queries) == 0 || len(f.Queries) > maxQueries {
		return fmt.Errorf("there are %d queries, want 1 to %d", len(f.Queries), maxQueries)
	}
	seen := map[string]bool{}
	for n := range f.Queries {
		if err := f.Queries[n].check(seen); err != nil {
			return fmt.Errorf("query %d: %w", n+1, err)
		}
	}
	return nil
}

func duration(what, text string, otherwise, least, most time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("the %s %q is not between %v and %v", what, text, least, most)
	}
	return d, nil
}

func (q *Query) check(seen map[string]bool) error {
	if q.Namespace == "" {
		q.Namespace = `root\cimv2`
	}
	parsed, err := wql.Parse(q.WQL)
	if err != nil {
		return err
	}
	selected := func(property string) error {
		if parsed.Select == nil || slices.ContainsFunc(parsed.Select, func(n wql.Name) bool { return cim.EqualFold(n.String(), property) }) {
			return nil
		}
		return fmt.Errorf("the property %s is not selected", property)
	}
	if len(q.Labels) > maxLabels || len(q.Metrics) == 0 || len(q.Metrics) > maxMetrics {
		return fmt.Errorf("there are %d metrics and %d labels, want 1 to %d and up to %d", len(q.Metrics), len(q.Labels), maxMetrics, maxLabels)
	}
	q.labels = nil
	for name, property := range q.Labels {
		if !labelName.MatchString(name) || name == "server" || name == "job" || name == "instance" || name == "le" || name == "quantile" {
			return fmt.Errorf("%q cannot be a label: one has small letters, digits and _, and is not server, job, instance, le or quantile", name)
		}
		if err := selected(property); err != nil {
			return err
		}
		q.labels = append(q.labels, name)
	}
	slices.Sort(q.labels)
	for n := range q.Metrics {
		m := &q.Metrics[n]
		switch {
		case !metricName.MatchString(m.Name), strings.HasPrefix(m.Name, "casement_"), strings.HasPrefix(m.Name, "go_"), strings.HasPrefix(m.Name, "process_"), m.Name == "up":
			return fmt.Errorf("%q cannot be a metric: one has small letters, digits and _, and does not begin with casement_, go_ or process_", m.Name)
		case seen[m.Name]:
			return fmt.Errorf("the metric %s is there twice", m.Name)
		case m.Type != "" && m.Type != "gauge" && m.Type != "counter":
			return fmt.Errorf("the metric %s: %q is not a type; there are gauge and counter", m.Name, m.Type)
		case (m.Type == "counter") != strings.HasSuffix(m.Name, "_total"):
			return fmt.Errorf("the metric %s: the names of counters end with _total, and no others do", m.Name)
		case m.Help == "" || len(m.Help) > 500:
			return fmt.Errorf("the metric %s: a help of up to 500 octets says what it means", m.Name)
		case m.Value == "" && m.Type == "counter":
			return fmt.Errorf("the metric %s: a number of rows is a gauge", m.Name)
		}
		if m.Factor == 0 {
			m.Factor = 1
		}
		if m.Value != "" {
			if err := selected(m.Value); err != nil {
				return fmt.Errorf("the metric %s: %w", m.Name, err)
			}
		}
		seen[m.Name] = true
	}
	return nil
}
